"""`enact up`: everything on this machine, in one terminal, until Ctrl-C."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console
from rich.text import Text

from cli.exit_codes import Exit
from cli.output import as_typed, end, refuse, warn
from cli.platform_options import DEV_PARTITIONS, SANDBOX_PORT, PlatformOptions
from cli.processes import FIRST_HEALTH_PORT
from cli.progress import Progress, console, headline
from enact.errors import EnactError
from topology.stages import RUNNING_STAGES

if TYPE_CHECKING:
    from cli.platform import Platform

EXAMPLE = Path("docs/examples/crm-task.json")
EXIT_INTERRUPTED = 130


def up(
    *,
    sandbox: Annotated[bool, typer.Option("--sandbox", help="With a CRM to practise on, and three tenants that may use it.")] = False,
    api: Annotated[
        bool, typer.Option("--api/--no-api", help="Without the api nothing answers status, timeline and list; all the rest works.")
    ] = True,
    instances: Annotated[
        list[str] | None, typer.Option(metavar="STAGE=N", help="More than one process of a stage; may be repeated.", show_default=False)
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(metavar="STAGE", help="Leave a stage out (to replay it, for instance); may be repeated.", show_default=False),
    ] = None,
    partitions: Annotated[
        int, typer.Option(help="Partitions of every topic, fixed for the life of the cluster.", min=1, max=1000)
    ] = DEV_PARTITIONS,
    free_ports: Annotated[bool, typer.Option("--free-ports", help="Any free ports instead of the usual ones.")] = False,
    sandbox_port: Annotated[int, typer.Option(help="Port of the sandbox; 0 = any free one.", min=0, max=65535)] = SANDBOX_PORT,
    health_port: Annotated[
        int, typer.Option(help="First port of the stages' health and metrics; 0 = any free ones.", min=0, max=65535)
    ] = FIRST_HEALTH_PORT,
) -> None:
    """Start everything on this machine and keep it running.

    A broker if no cluster is configured, the topics, the registry, every stage, the api.
    Ctrl-C stops all in good order; a second one hurries. What was done stays in the data folder (ENACT_DATA_DIR).
    """
    options = PlatformOptions(
        has_sandbox=sandbox,
        has_api=api,
        has_free_ports=free_ports,
        sandbox_port=sandbox_port,
        health_port=health_port,
        partitions=partitions,
        instances=parsed_instances(instances or []),
        stages=started_stages(without or []),
    )
    screen = console()
    try:
        _run(screen, options)
    except EnactError as error:
        refuse(error)
    except KeyboardInterrupt:
        end_interrupted()


def end_interrupted() -> NoReturn:
    """Ends a command that Ctrl-C broke off. Raises: typer.Exit."""
    warn("Interrupted. Nothing is running any more.")
    raise typer.Exit(EXIT_INTERRUPTED)


def parsed_instances(given: list[str]) -> dict[str, int]:
    """`["invocation=2"]` → `{"invocation": 2}`. Ends with exit code 2 if one is not written so."""
    found: dict[str, int] = {}
    for text in given:
        stage, _, number = text.partition("=")
        stage = stage.replace("-", "_")
        if stage not in RUNNING_STAGES or not number.isdecimal() or not 1 <= int(number) <= 16:
            end(Exit.USAGE, f"--instances {text}: write STAGE=N with N from 1 to 16 and one of the stages {', '.join(RUNNING_STAGES)}.")
        found[stage] = int(number)
    return found


def started_stages(without: list[str]) -> tuple[str, ...]:
    """The stages that are not left out. Ends with exit code 2 if there is no such stage, or if none is left."""
    left_out = {text.replace("-", "_") for text in without}
    stages = tuple(stage for stage in RUNNING_STAGES if stage not in left_out)
    if not left_out <= set(RUNNING_STAGES) or not stages:
        end(Exit.USAGE, f"--without: name some of the stages {', '.join(RUNNING_STAGES)}.")
    return stages


def _run(screen: Console, options: PlatformOptions) -> None:
    from cli.platform import Platform, platform_settings

    settings = platform_settings()
    count = sum(options.instances.get(stage, 1) for stage in options.started_stages) + options.has_sandbox
    progress = Progress(screen, process_count=count)
    platform = Platform(settings, options, tell=progress.step, on_change=progress.change)
    with platform.signals():
        try:
            with progress:
                is_ready = platform.start()
            if is_ready:
                _show(screen, platform)
                platform.run()
        finally:
            platform.stop()
    screen.print("Stopped. Nothing is running any more; what was done is kept.")


def _show(screen: Console, platform: "Platform") -> None:
    """What runs where, and what to try. Commands stand alone on their lines, so that they can be copied."""
    facts = {
        "broker": f"{platform.bootstrap_servers}  ({_broker_words(platform)})",
        "api": f"{platform.api_url}  (where the commands below get their answers)",
        "sandbox": f"{platform.sandbox_url}  (a CRM to practise on, for the tenants {', '.join(platform.options.tenants)})",
        "data": f"{platform.data_dir}",
        "logs": f"{platform.data_dir / 'logs'}",
    }
    if platform.sandbox_url is None:
        del facts["sandbox"]
    if not platform.options.has_api:
        del facts["api"]
    headline(screen, "enact is running", style="bold green")
    for name, text in facts.items():
        screen.print(Text.assemble((f"{name:<9}", "bold"), text), soft_wrap=True)
    screen.print()
    screen.print("Try, in another terminal in this folder:")
    for command in _suggestions(platform):
        screen.print(Text(f"  {command}", style="cyan"), soft_wrap=True)
    headline(screen, "Ctrl-C stops everything; a second one hurries")


def _broker_words(platform: "Platform") -> str:
    return "your cluster" if platform.broker is None else "a real Apache Kafka, one node"


def _suggestions(platform: "Platform") -> list[str]:
    enact = as_typed(platform.settings)
    example = EXAMPLE if platform.options.has_sandbox else EXAMPLE.with_name("internal-note.json")
    who = "--tenant acme --account account-1"
    return [
        f"{enact} submit {example if example.is_file() else 'FILE'} --new",
        *([f"{enact} list {who}"] if platform.options.has_api else []),
        f"{enact} switch engage global --reason 'trying it out'",
        f"{enact} switch release global --reason 'tried it'",
    ]
