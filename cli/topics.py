"""`enact topics`: what should exist, what is there, and making the one into the other."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cli.context import AsJson, kafka_settings
from cli.exit_codes import Exit
from cli.output import end, print_json, refuse
from cli.topology_apply import topology_apply, topology_plan
from cli.up_file import Running, running
from enact.errors import ConfigurationError, EnactError
from enact.kafka.admin import KafkaAdmin
from enact.settings import KafkaSettings, KernelSettings, load
from topology.plan import Action, Plan
from topology.render import documents, specs_json
from topology.spec import Sizing

PARTITIONS, COPIES = 12, 3
ROOT = Path(__file__).resolve().parent.parent

app = typer.Typer(help="The topics: declared in topology/, compared with the cluster, created and kept so.", no_args_is_help=True)

Partitions = Annotated[
    int | None,
    typer.Option(
        help="P: partitions of every intent-keyed topic, fixed for the life of the cluster; none = as a running `enact up`, else 12.", min=1
    ),
]
Copies = Annotated[int | None, typer.Option(help="Replication factor; none = as a running `enact up`, else 3.", min=1)]
Bootstrap = Annotated[
    str | None,
    typer.Option(help="host:port of the cluster, instead of ENACT_KAFKA__BOOTSTRAP_SERVERS or that of a running `enact up`."),
]


@app.command("plan")
def show_plan(
    partitions: Partitions = None, replication_factor: Copies = None, bootstrap: Bootstrap = None, as_json: AsJson = False
) -> None:
    """Say what `apply` would do, and do nothing. Exit 0: as declared; 8: changes; 1: a problem no command can mend."""
    try:
        settings = load(KernelSettings)
        found = topology_plan(_admin(settings, bootstrap), _sizing(settings, partitions, replication_factor, bootstrap))
    except EnactError as error:
        refuse(error, as_json=as_json)
    _print_plan(found, as_json=as_json)
    if found.problems:
        raise typer.Exit(Exit.PROBLEM)
    if found.actions:
        raise typer.Exit(Exit.CHANGES)


@app.command("apply")
def apply(partitions: Partitions = None, replication_factor: Copies = None, bootstrap: Bootstrap = None, as_json: AsJson = False) -> None:
    """Create missing topics and set drifted settings. Deletes nothing, never changes a partition count. Run it as often as you like."""

    def say(action: Action) -> None:
        if not as_json:
            typer.echo(str(action))

    try:
        settings = load(KernelSettings)
        admin, sizing = _admin(settings, bootstrap), _sizing(settings, partitions, replication_factor, bootstrap)
    except EnactError as error:
        refuse(error, as_json=as_json)
    try:
        applied = topology_apply(admin, sizing, on_action=say)
    except ConfigurationError as error:
        end(Exit.REFUSED, error.message, as_json=as_json, error_code=error.code.value)
    except EnactError as error:
        refuse(error, as_json=as_json)
    if as_json:
        print_json({"done": [_as_json(action) for action in applied.done], "warnings": list(applied.warnings)})
    elif not applied.done:
        typer.echo("Every topic is as declared: nothing to do.")
    for warning in applied.warnings:
        typer.echo(f"warning: {warning}", err=True)


@app.command("render")
def render(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 9 if a file is stale.")] = False,
    specs: Annotated[bool, typer.Option("--specs", help="Print the topics as JSON instead, for tools that create them.")] = False,
    partitions: Partitions = None,
    replication_factor: Copies = None,
    root: Annotated[Path, typer.Option(help="The source tree to write into.")] = ROOT,
) -> None:
    """Write docs/topology.md and its picture again from the declarations."""
    if specs:
        try:
            typer.echo(specs_json(_sizing(load(KernelSettings), partitions, replication_factor)), nl=False)
        except EnactError as error:
            refuse(error)
        return
    if not (root / "pyproject.toml").is_file():
        refuse(ConfigurationError(f"{root} is not enact's source tree: run this in a checkout, or name it with --root."))
    stale = [path for path, text in documents().items() if not _is_current(root / path, text)]
    if check and stale:
        typer.echo(f"stale: {', '.join(stale)}. Run `make render` and commit the result.", err=True)
        raise typer.Exit(Exit.STALE)
    for path in stale:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(documents()[path], encoding="utf-8")
        typer.echo(f"wrote {path}")


def _is_current(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


def _admin(settings: KernelSettings, bootstrap: str | None) -> KafkaAdmin:
    if bootstrap is None:
        return KafkaAdmin(kafka_settings(settings))
    return KafkaAdmin(KafkaSettings(**{**settings.kafka.model_dump(), "bootstrap_servers": bootstrap}))


def _sizing(settings: KernelSettings, partitions: int | None, replication_factor: int | None, bootstrap: str | None = "") -> Sizing:
    """What is not said is as in a running `enact up`, if that is the cluster that is meant; else for production."""
    is_up = bootstrap is None and settings.kafka.bootstrap_servers is None
    told = running(settings.data_dir) if is_up else Running()
    return Sizing(
        prefix=told.topic_prefix or settings.topic_prefix,
        partition_count=partitions or told.partitions or PARTITIONS,
        replication_factor=replication_factor or told.replication_factor or COPIES,
    )


def _print_plan(found: Plan, *, as_json: bool) -> None:
    if as_json:
        print_json({"actions": [_as_json(action) for action in found.actions], "problems": list(found.problems)})
        return
    if found.is_empty:
        typer.echo("Every topic is as declared: nothing to do.")
    for action in found.actions:
        typer.echo(str(action))
    for problem in found.problems:
        typer.echo(f"problem: {problem}", err=True)


def _as_json(action: Action) -> dict[str, object]:
    return {"action": type(action).__name__, "text": str(action), **asdict(action)}


if __name__ == "__main__":
    sys.exit(app())
