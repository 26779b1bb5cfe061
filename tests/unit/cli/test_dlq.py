"""`enact dlq`: what is shown, what would be done, and what is done only with --yes."""

import json

import pytest

from cli.exit_codes import Exit
from enact.errors import ErrorCode
from enact.kafka.dead_letter import dead_letter_record
from enact.kafka.stage import DeadLetter
from enact.records import LedgerType, RedriveRequested, Status
from enact.records.codec import encode_json
from tests.factories import in_record, make_intent
from tests.unit.cli.command import run
from tests.unit.cli.conftest import DLQ, RETURNED
from tests.unit.enact.ledger_owner import INTENT, PARTITIONS, TENANT, World, entry, started

INTENT_BYTES = encode_json(make_intent(tenant_id=TENANT, action_intent_id=INTENT))


def keep(world: World, value: bytes | None, *, code: ErrorCode = ErrorCode.NOT_APPROVED, at_ms: int = 1_790_000_000_000) -> None:
    letter = DeadLetter(code=code, message=f"because of {code.value}", exception_class="ValidationError")
    record = in_record("t.intents.approved", INTENT.encode(), value, offset=7)
    writer = world.broker.writer()
    writer.send(dead_letter_record(letter, record, topic=DLQ, stage="validation", at_ms=at_ms))
    writer.flush(1.0)


def failed(world: World) -> None:
    world.hold(started(), entry(LedgerType.ACTION_FAILED, version=5, status=Status.FAILED))


def returned(world: World) -> int:
    return sum(len(world.broker.records(RETURNED, partition)) for partition in range(PARTITIONS))


def test_the_list_shows_the_newest_first_and_how_many_are_left_out(world: World) -> None:
    keep(world, b"\x00", code=ErrorCode.MALFORMED_RECORD)
    keep(world, INTENT_BYTES, at_ms=1_790_000_060_000)

    shown = run("dlq", "list", "validation", "--limit", "1")
    one_kind = json.loads(run("dlq", "list", "validation", "--code", "MALFORMED_RECORD", "--json").stdout)

    assert shown.exit_code == Exit.OK, shown.output
    assert "because of NOT_APPROVED" in shown.stdout
    assert INTENT in shown.stdout
    assert "MALFORMED_RECORD" not in shown.stdout
    assert "1 older ones" in shown.stdout
    assert (one_kind["total"], one_kind["dead_letters"][0]["id"]) == (1, None)


def test_a_stage_without_dead_letters_says_so(world: World) -> None:
    assert run("dlq", "list", "validation").stdout == "validation has no dead letters.\n"


def test_a_stage_that_has_none_at_all_is_named_as_wrong(world: World) -> None:
    result = run("dlq", "list", "api")

    assert result.exit_code == Exit.USAGE
    assert "tool-mapping" in result.stderr


def test_one_is_shown_with_its_reason_its_origin_its_bytes_and_its_way_back(world: World) -> None:
    failed(world)
    keep(world, INTENT_BYTES)

    shown = run("dlq", "show", "validation", "0:0")

    assert shown.exit_code == Exit.OK, shown.output
    for told in ("NOT_APPROVED", "because of NOT_APPROVED", "t.intents.approved:0:7", "the log may refuse", INTENT_BYTES.decode()):
        assert told in shown.stdout
    assert json.loads(run("dlq", "show", "validation", "0:0", "--json").stdout)["redrive"] == "COMMAND"


def test_one_without_a_value_is_shown_too_and_one_that_is_not_there_is_refused(world: World) -> None:
    keep(world, None, code=ErrorCode.NULL_VALUE)

    assert "(no value)" in run("dlq", "show", "validation", "0:0").stdout
    assert run("dlq", "show", "validation", "0:9").exit_code == Exit.REFUSED


def test_without_yes_a_redrive_only_says_what_it_would_do(world: World) -> None:
    failed(world)
    keep(world, INTENT_BYTES)

    result = run("dlq", "redrive", "validation", "0:0", "--reason", "corrected")

    assert result.exit_code == Exit.OK, result.output
    assert "Nothing was changed. Add --yes to do it." in result.stdout
    assert (world.events, returned(world)) == ([], 0)


def test_with_yes_a_known_execution_is_redriven_and_the_rest_goes_back(world: World) -> None:
    failed(world)
    keep(world, INTENT_BYTES)
    keep(world, b"\x00", code=ErrorCode.MALFORMED_RECORD)

    result = run("dlq", "redrive", "validation", "0:0", "0:1", "--reason", "corrected", "--yes", "--json")

    assert result.exit_code == Exit.OK, result.output
    told = json.loads(result.stdout)
    assert (told["is_done"], [one["redrive"] for one in told["dead_letters"]]) == (True, ["ACCEPTED", "RETURNED"])
    assert [type(event.data) for event in world.events] == [RedriveRequested]
    assert returned(world) == 1


def test_one_that_cannot_go_back_does_not_keep_the_next_from_it(world: World) -> None:
    keep(world, None, code=ErrorCode.NULL_VALUE)
    keep(world, INTENT_BYTES)

    result = run("dlq", "redrive", "validation", "0:0", "0:1", "--reason", "corrected", "--yes")

    assert result.exit_code == Exit.REFUSED
    assert "nothing to give back" in result.stdout
    assert returned(world) == 1


def test_all_of_one_code_are_taken_oldest_first_up_to_the_limit(world: World) -> None:
    for _ in range(3):
        keep(world, b"\x00", code=ErrorCode.MALFORMED_RECORD)
    keep(world, INTENT_BYTES)

    arguments = ["--code", "MALFORMED_RECORD", "--limit", "2", "--reason", "readable now", "--yes", "--json"]
    told = json.loads(run("dlq", "redrive", "validation", *arguments).stdout)

    assert [one["at"] for one in told["dead_letters"]] == ["0:0", "0:1"]
    assert returned(world) == 2
    assert "no dead letters with the code" in run("dlq", "redrive", "validation", "--code", "NULL_VALUE", "--reason", "x").stdout


@pytest.mark.parametrize("which", [[], ["0:0", "--code", "NOT_APPROVED"]])
def test_a_redrive_of_nothing_in_particular_is_refused(world: World, which: list[str]) -> None:
    keep(world, INTENT_BYTES)

    assert run("dlq", "redrive", "validation", *which, "--reason", "all of it").exit_code == Exit.REFUSED
    assert run("dlq", "redrive", "validation", "0:0").exit_code == Exit.USAGE
