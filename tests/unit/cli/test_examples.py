"""The examples are what they say: listed, well formed, and carried as far as the request to the tool."""

import json
import re
from pathlib import Path

import pytest

from cli.exit_codes import Exit
from cli.intent_file import read_intents
from connectors.catalogue import argument_schemas, registry_files
from enact.errors import ErrorCode
from enact.json_schema import check_value
from enact.mapping import map_arguments
from enact.records import ActionType, ApprovedIntent
from enact.registry import RegistryView
from enact.registry_file import read_entries
from services.validation.checks import Candidate, Limits, first_failure
from tests.unit.cli.command import run

EXAMPLES = Path(__file__).resolve().parents[3] / "docs" / "examples"
INTENTS = sorted(EXAMPLES.glob("*.json"))
OWN_ENTRY = EXAMPLES / "registry-entry.yaml"
NOW_S = 1_790_000_000


def entries() -> list[ActionType]:
    """Those that ship, those of the sandbox, and the example's own."""
    files = [(name, file.read_text(encoding="utf-8")) for name, file in registry_files(with_sandbox=True)]
    files.append((OWN_ENTRY.name, OWN_ENTRY.read_text(encoding="utf-8")))
    return [entry for name, text in files for entry in read_entries(text, file=name, argument_schemas=argument_schemas())]


def intent_of(example: Path) -> ApprovedIntent:
    found = read_intents(example.read_text(encoding="utf-8"), file=example.name, new_until_s=NOW_S + 3_600)
    assert found.problems == ()
    (intent,) = found.intents
    return intent


def test_every_example_is_listed_with_what_it_shows() -> None:
    text = (EXAMPLES / "README.md").read_text(encoding="utf-8")

    listed = re.findall(r"^\| \[(\S+)\]\((\S+)\) \| \S+", text, re.MULTILINE)

    assert all(name == target for name, target in listed)
    assert sorted(name for name, _ in listed) == sorted(path.name for path in EXAMPLES.iterdir() if path.suffix not in {".md", ".pyc", ""})


@pytest.mark.parametrize("example", INTENTS, ids=lambda path: path.stem)
def test_submit_takes_every_example_and_publishes_nothing_on_a_dry_run(example: Path) -> None:
    result = run("submit", str(example), "--new", "--dry-run", "--json")

    told = json.loads(result.stdout)
    assert result.exit_code == Exit.OK, result.output
    assert len(told["checked"]) == 1
    assert told["published"] == []


@pytest.mark.parametrize("example", INTENTS, ids=lambda path: path.stem)
def test_every_example_is_admitted_and_becomes_a_request_that_its_tool_takes(example: Path) -> None:
    view = RegistryView(entries(), next_offset=0)
    candidate = Candidate(intent=intent_of(example), registry=view, now_ms=NOW_S * 1_000, limits=Limits())

    refused = first_failure(candidate)
    entry = candidate.entry()
    arguments = map_arguments(candidate.intent, entry.parameter_mapping)

    assert refused is None
    check_value(arguments, entry.arguments_schema, root="arguments", code=ErrorCode.MAPPING_FAILED)
