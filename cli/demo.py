"""`enact demo`: everything started, a mixed set of intents published, each one's end shown and explained, everything removed."""

import shutil
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from cli.exit_codes import Exit
from cli.output import as_typed, refuse
from cli.platform_options import PlatformOptions
from cli.progress import Progress, console, headline
from cli.up import EXAMPLE, end_interrupted
from enact.errors import EnactError
from enact.settings import PREFIX, KernelSettings, forget_environment, load
from topology.stages import RUNNING_STAGES


class InterruptedDemoError(Exception):
    """Somebody pressed Ctrl-C."""


def demo(keep: Annotated[bool, typer.Option("--keep", help="Keep the demo's data folder: topics, logs, sandbox.")] = False) -> None:
    """See in half a minute what enact does.

    A broker, all stages, and a sandbox CRM with trouble ahead for some of nineteen intents. It uses free ports and a folder
    of its own, calls nothing outside this machine, leaves out the settings of this shell, and leaves nothing behind.
    Exit 0: everything ended as it must; 1: something did not, and it says what.
    """
    screen, started_s = console(), time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="enact-demo-"))
    is_kept = keep
    try:
        differing = _run(screen, folder)
        is_kept = keep or bool(differing)
        _show_end(screen, differing, seconds=time.monotonic() - started_s)
    except EnactError as error:
        is_kept = keep or (folder / "logs").is_dir()
        refuse(error)
    except (KeyboardInterrupt, InterruptedDemoError):
        end_interrupted()
    finally:
        if is_kept:
            screen.print(Text(f"The data of this run is kept in {folder}; its logs are in {folder / 'logs'}."), soft_wrap=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    if differing:
        raise typer.Exit(Exit.PROBLEM)


def _run(screen: Console, folder: Path) -> list[str]:
    """Everything from start to stop; returns what was not as it must be. Raises: EnactError, InterruptedDemoError, KeyboardInterrupt."""
    from cli.demo_play import Play
    from cli.platform import Platform

    headline(screen, "Starting a broker, the stages and a CRM to practise on")
    progress = Progress(screen, process_count=len(RUNNING_STAGES) + 1)
    options = PlatformOptions(has_sandbox=True, has_free_ports=True)
    platform = Platform(_own_settings(folder), options, tell=progress.step, on_change=progress.change)
    with platform.signals():
        try:
            with progress:
                is_ready = platform.start()
            if not is_ready or (play := Play(screen, platform)).is_interrupted:
                raise InterruptedDemoError
            differing = play.run()
            if play.is_interrupted:
                raise InterruptedDemoError
            return differing
        finally:
            platform.stop()


def _own_settings(folder: Path) -> KernelSettings:
    """The demo is the same in every shell: what is set for a real cluster must not reach it, nor the demo the cluster."""
    forget_environment()
    return load(KernelSettings, {f"{PREFIX}DATA_DIR": str(folder)})


def _show_end(screen: Console, differing: list[str], *, seconds: float) -> None:
    screen.print()
    if differing:
        headline(screen, "Not everything ended as it must", style="bold red")
        for line in differing:
            screen.print(Text(f"  {line}"), soft_wrap=True)
        return
    enact = as_typed(load(KernelSettings))
    headline(screen, f"Everything ended as it must, in {seconds:.0f} s; nothing is left running", style="bold green")
    screen.print("Now you:")
    commands = {
        f"{enact} up --sandbox": "the same, kept running, until Ctrl-C",
        f"{enact} submit {EXAMPLE} --new": "then in a second terminal: publish an intent; it says how to follow it",
    }
    for command, words in commands.items():
        screen.print(Text.assemble(f"  # {words}\n  ", (command, "cyan")), soft_wrap=True)
    screen.print("README.md goes on from there.")
