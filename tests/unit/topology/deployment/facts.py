"""What the deployment files must agree with: the command line, the settings, the ports, the metrics. Each answer comes from the code."""

import argparse
import contextlib
import copy
import importlib.util
import io
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import chain
from typing import Any

import typer
import yaml
from prometheus_client.parser import text_string_to_metric_families
from typer.core import TyperGroup
from typer.exceptions import TyperException

from cli.main import app
from cli.settings_page import STAGES as STAGE_SETTINGS
from connectors.catalogue import argument_schemas, registry_files
from connectors.sandbox.__main__ import command_line
from enact.health import HealthServer, HealthState
from enact.metrics import Metrics
from enact.registry_file import read_entries
from enact.settings import BOOTSTRAP_ALIAS, HealthSettings, KernelSettings
from enact.settings_table import describe
from services.invocation.__main__ import CONNECTORS
from tests.architecture.tree import ROOT
from topology.stages import RUNNING_STAGES

SCRAPED = {"job", "instance"}
"""Labels that Prometheus adds."""


def yaml_of(path: str) -> Any:
    return yamls_of(path)[0]


def yamls_of(path: str) -> list[Any]:
    """The documents of a file of the tree; the caller may change them."""
    return copy.deepcopy(_read(path))


@cache
def _read(path: str) -> list[Any]:
    return list(yaml.safe_load_all((ROOT / path).read_text(encoding="utf-8")))


def command_faults(command: Sequence[str]) -> Iterator[str]:
    """Why this command would not start in our image; nothing if it would."""
    match list(command):
        case ["enact", *arguments]:
            yield from _verb_faults(arguments)
        case ["python", "-m", "connectors.sandbox", *arguments]:
            yield from _option_faults(command_line(), arguments)
        case ["python", "-m", module] if module.startswith("services."):
            if module.removeprefix("services.") not in RUNNING_STAGES or importlib.util.find_spec(f"{module}.__main__") is None:
                yield f"{module} is no stage that runs"
        case ["python", "-c", code]:
            compile(code, "healthcheck", "exec")
        case _:
            yield f"{' '.join(command)} is none of our commands"


def _verb_faults(arguments: Sequence[str]) -> Iterator[str]:
    """Parsed by the real command line, down to the last option; nothing is run."""
    command: Any = typer.main.get_command(app)
    name: str | None = "enact"
    rest, context = list(arguments), None
    try:
        while True:
            context = command.make_context(name, rest, parent=context)
            if not isinstance(command, TyperGroup):
                return
            name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
    except TyperException as error:
        yield f"enact {' '.join(arguments)}: {error}"
    except typer.Exit:
        yield f"enact {' '.join(arguments)}: names no verb"


def _option_faults(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> Iterator[str]:
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            parser.parse_args(list(arguments))
    except SystemExit:
        yield said.getvalue().strip()


@cache
def variables_of(stage: str | None) -> frozenset[str]:
    """What a stage's settings class reads; None: what every process reads."""
    settings_class = STAGE_SETTINGS.get(stage or "", KernelSettings)
    return frozenset({row.variable for row in describe(settings_class)} | {BOOTSTRAP_ALIAS})


def variable_faults(stage: str | None, given: Mapping[str, Any]) -> Iterator[str]:
    for name in given:
        if name not in variables_of(stage):
            yield f"{name} is no setting of {stage or 'any process'}"


@cache
def health_paths() -> frozenset[str]:
    """What a stage's health port answers."""
    server = HealthServer(HealthSettings(port=0), HealthState(), Metrics("validation"))
    try:
        return frozenset(str(route.resource.canonical) for route in server._app().router.routes() if route.resource is not None)
    finally:
        server._loop.close()


@cache
def longest_timeout_s() -> float:
    """Of all tools that ship with enact."""
    schemas = argument_schemas()
    files = [(name, file.read_text(encoding="utf-8")) for name, file in registry_files(with_sandbox=True)]
    return max(entry.timeout_ms for name, text in files for entry in read_entries(text, file=name, argument_schemas=schemas)) / 1000


@cache
def series() -> Mapping[str, Mapping[str, frozenset[str]]]:
    """Every series that our processes expose, with its labels and their values where the set is closed."""
    metrics = [Metrics(stage, connectors=CONNECTORS if stage == "invocation" else ()) for stage in RUNNING_STAGES]
    families = chain.from_iterable(text_string_to_metric_families(one.exposition().decode()) for one in metrics)
    found: dict[str, dict[str, set[str]]] = {}
    for sample in chain.from_iterable(family.samples for family in families):
        labels = found.setdefault(sample.name, {})
        for label, value in sample.labels.items():
            labels.setdefault(label, set()).add(value)
    return {name: {label: frozenset(values) for label, values in labels.items()} for name, labels in found.items()}
