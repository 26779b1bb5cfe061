"""Every example intent of a shipped action type fits its registry entry and its tool; every shipped action type has one."""

import json
from pathlib import Path
from typing import Any

import pytest

from connectors.catalogue import argument_schemas, registry_files
from enact.errors import ErrorCode
from enact.json_schema import check_value
from enact.mapping import map_arguments
from enact.records import ActionType, Target
from enact.registry_file import read_entries
from tests.factories import make_intent

FOLDER = Path(__file__).parents[3] / "docs" / "examples"


def entries() -> dict[str, ActionType]:
    found = [
        entry
        for name, file in registry_files(with_sandbox=True)
        for entry in read_entries(file.read_text(encoding="utf-8"), file=name, argument_schemas=argument_schemas())
    ]
    return {entry.action_type: entry for entry in found}


def example(name: str) -> dict[str, Any]:
    given: dict[str, Any] = json.loads((FOLDER / name).read_text())
    return given


EXAMPLES = sorted(path.name for path in FOLDER.glob("*.json") if example(path.name).get("action_type") in entries())


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_fits_its_entry_and_its_tool(name: str) -> None:
    given = example(name)
    entry = entries()[given["action_type"]]
    intent = make_intent(parameters=json.dumps(given["parameters"]), target=Target(**given["target"]))

    check_value(given["parameters"], entry.parameters_schema, root="parameters", code=ErrorCode.PARAMETERS_INVALID)
    arguments = map_arguments(intent, entry.parameter_mapping)

    check_value(arguments, entry.arguments_schema, root="arguments", code=ErrorCode.MAPPING_FAILED)


def test_every_shipped_action_type_but_one_of_two_alike_has_an_example() -> None:
    shown = {example(name)["action_type"] for name in EXAMPLES}

    assert set(entries()) - shown == {"CREATE_INTERNAL_TASK"}
