"""`enact bench`: how fast, how much, and against what; the measuring itself is `benchmarks/`, in the source tree only."""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from cli.exit_codes import Exit
from cli.output import end, print_json, print_table, refuse, say
from cli.progress import console, headline
from enact.errors import ConfigurationError, EnactError


def bench(
    *,
    quick: Annotated[bool, typer.Option("--quick", help="One short round without class D; under a minute.")] = False,
    bare_loop: Annotated[
        Path | None, typer.Option(help="The bare client loop to compare with.", show_default="../shared/bench/bare_loop.py")
    ] = None,
    partitions: Annotated[int, typer.Option(help="Partitions of every topic, of the bare loop's too.", min=1, max=100)] = 4,
    restore: Annotated[
        int, typer.Option(metavar="N", help="Also restore N ended executions (1000000 is what is promised; minutes).", min=0)
    ] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder for result.json, result.svg and result.md.", show_default=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The whole result as JSON.")] = False,
) -> None:
    """Measure the whole pipeline on this machine: rates, latencies, CPU, memory and disk, next to the bare client loop.

    A broker with the full compiler, all stages and an instant tool, in a folder of their own and on free ports; nothing is left behind.
    The full run takes about ten minutes. Exit 0: measured, whatever the figures; 1: something failed while it was measured.
    """
    screen = Console(stderr=True, highlight=False, markup=False, emoji=False) if as_json else console()
    folder = Path(tempfile.mkdtemp(prefix="enact-bench-"))
    try:
        result = _measure(screen, folder, is_quick=quick, bare_loop=bare_loop, partitions=partitions, restored=restore)
    except EnactError as error:
        refuse(error)
    except RuntimeError as error:
        end(Exit.PROBLEM, str(error))
    except KeyboardInterrupt:
        from cli.up import end_interrupted

        end_interrupted()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if out is not None:
        _write(out, result)
    if as_json:
        print_json(result)
    else:
        _show(screen, result)


def _measure(screen: Console, folder: Path, *, is_quick: bool, bare_loop: Path | None, partitions: int, restored: int) -> dict[str, object]:
    """Raises: EnactError, RuntimeError, KeyboardInterrupt (also for SIGTERM and SIGHUP)."""
    try:
        from benchmarks.bare import BareLoop
        from benchmarks.sizes import FULL, QUICK
        from benchmarks.whole import Bench
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("benchmarks"):
            raise
        raise ConfigurationError("enact bench needs the source tree: run it in a checkout of enact.") from error
    from cli.progress import Progress
    from cli.supervisor import on_stop_signals
    from enact.settings import forget_environment

    def interrupt() -> None:
        raise KeyboardInterrupt

    forget_environment()  # the same in every shell, and nowhere near a cluster that is configured
    progress = Progress(screen, process_count=0)
    size = QUICK if is_quick else FULL
    run = Bench(size, BareLoop.find(bare_loop), folder, partitions=partitions, restored=restored, tell=progress.step)
    with on_stop_signals(interrupt):
        return run.run()


def _write(out: Path, result: dict[str, object]) -> None:
    from benchmarks.plot import svg
    from benchmarks.report import markdown

    out.mkdir(parents=True, exist_ok=True)
    (out / "result.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (out / "result.svg").write_text(svg(result), encoding="utf-8")
    (out / "result.md").write_text(markdown(result, plot="result.svg"), encoding="utf-8")


def _show(screen: Console, result: dict[str, object]) -> None:
    from benchmarks.report import bare_line, tables

    for table in tables(result):
        headline(screen, table.title)
        print_table(table.columns, table.rows)
    say("")
    screen.print(Text(bare_line(result)), soft_wrap=True)
