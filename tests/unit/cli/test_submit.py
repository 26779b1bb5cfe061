"""`enact submit` on a cluster in memory: what is published, and how every mistake in a file is told."""

import json
from pathlib import Path
from typing import Any

import pytest

from cli.exit_codes import Exit
from enact.kafka.partitioner import partition_of
from enact.records import ApprovedIntent
from enact.records.codec import decode
from tests.factories import intent_json_tree
from tests.unit.cli.command import run
from tests.unit.enact.ledger_owner import PARTITIONS, World

APPROVED = "t.intents.approved"


def published(world: World) -> list[ApprovedIntent]:
    return [decode(ApprovedIntent, record.value) for record in world.broker.records(APPROVED) if record.value is not None]


def intent(intent_id: str, **changes: Any) -> dict[str, Any]:
    return {**intent_json_tree(), "action_intent_id": intent_id, **changes}


@pytest.mark.parametrize("form", ["object", "array", "lines"])
@pytest.mark.parametrize("wire_format", ["json", "avro"])
def test_submit_takes_an_object_an_array_or_lines(world: World, tmp_path: Path, form: str, wire_format: str) -> None:
    intents = [intent("int-a")] if form == "object" else [intent("int-a"), intent("int-b")]
    text = "\n".join(json.dumps(one) for one in intents) if form != "array" else json.dumps(intents, indent=2)
    file = tmp_path / "intents.json"
    file.write_text(text)

    result = run("submit", str(file), "--format", wire_format)

    assert result.exit_code == Exit.OK, result.output
    assert sorted(one.action_intent_id for one in published(world)) == [one["action_intent_id"] for one in intents]
    assert "enact timeline int-a" in result.stdout


def test_submit_puts_key_partition_and_headers_as_an_upstream_service_would(world: World) -> None:
    result = run("submit", "-", "--json", stdin=json.dumps(intent("int-a")))

    (record,) = world.broker.records(APPROVED)
    headers = dict(record.headers)
    assert json.loads(result.stdout)["published"] == [
        {"action_intent_id": "int-a", "execution_id": "exec-int-a", "partition": partition_of("int-a", PARTITIONS)}
    ]
    assert (record.key, record.partition) == (b"int-a", partition_of("int-a", PARTITIONS))
    assert (headers["ce_id"], headers["ce_source"]) == (b"int-a", b"enact-cli")
    assert headers["traceparent"].startswith(b"00-")
    assert (record.value or b"")[:1] == b"{"


def test_submit_fills_in_tenant_and_account_where_an_intent_names_none(world: World) -> None:
    nameless = intent("int-a")
    del nameless["tenant_id"], nameless["account_id"]

    run("submit", "-", "--tenant", "globex", "--account", "acct-9", stdin=json.dumps([nameless, intent("int-b")]))

    found = {one.action_intent_id: (one.tenant_id, one.account_id) for one in published(world)}
    assert found == {"int-a": ("globex", "acct-9"), "int-b": ("acme", "account-1")}


def test_submit_tells_every_problem_and_publishes_nothing(world: World) -> None:
    lines = [
        json.dumps(intent("int-good")),
        json.dumps({name: value for name, value in intent("int-b").items() if name not in ("target", "approval")}),
        '{"action_intent_id": "x", "action_intent_id": "y"}',
        json.dumps(intent("int-c", surprise=1)),
        json.dumps(intent("int-d", parameters="[1]")),
    ]

    result = run("submit", "-", stdin="\n".join(lines))

    assert result.exit_code == Exit.REFUSED
    assert "line 2: target, approval are missing" in result.stderr
    for number in (3, 4, 5):
        assert f"line {number}: " in result.stderr
    assert "line 1" not in result.stderr
    assert published(world) == []


@pytest.mark.parametrize(
    ("text", "word"), [("", "holds no intent"), ("[]", "holds no intent"), ("nonsense", "stdin"), ("[1]", "a number"), ("[[]]", "a list")]
)
def test_submit_explains_what_is_no_intent(world: World, text: str, word: str) -> None:
    result = run("submit", "-", stdin=text)

    assert result.exit_code == Exit.REFUSED
    assert word in result.stderr


def test_submit_refuses_ids_that_cannot_be_keys_and_intents_that_are_too_large(world: World) -> None:
    too_large = intent("int-b", parameters={"text": "x" * 300_000})

    result = run("submit", "-", "--json", stdin=json.dumps([intent("no id"), too_large]))

    problems = json.loads(result.stdout)["problems"]
    assert result.exit_code == Exit.REFUSED
    assert "action_intent_id" in problems[0]
    assert "keep large content elsewhere" in problems[1]
    assert published(world) == []


def test_submit_explains_a_file_that_is_not_there(world: World) -> None:
    result = run("submit", "/no/such/file")

    assert result.exit_code == Exit.REFUSED
    assert result.stderr == "/no/such/file does not exist: name a file with intents, or - for stdin.\n"
