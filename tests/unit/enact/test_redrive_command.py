"""Redrive as a command: which generation it names, and what the caller is told."""

from typing import Any

import pytest

from enact.command_answers import Accepted, InDoubt, Recorded, Refused, TooLate
from enact.commands import CommandRefusedError
from enact.records import ExecutionEvent, Fact, LedgerEntry, LedgerType, RedriveRequested, Status, Step
from tests.unit.enact.ledger_owner import INTENT, TENANT, Owner, World, claimed, doubt, entry, started
from tests.unit.enact.test_commands import resolve


def redrive_answer(type: LedgerType, result: str, *, generation: int = 1) -> Owner:
    def owner(event: ExecutionEvent) -> LedgerEntry | None:
        assert isinstance(event.data, RedriveRequested | Fact)
        details = {"command_id": event.data.command_id or "", "result": result}
        return entry(type, version=40, cause=event.event_id, generation=generation, details=details)

    return owner


def redrive(world: World, **changes: object) -> object:
    arguments = {"tenant_id": TENANT, "action_intent_id": INTENT, "reason": "the field was added", **changes}
    return world.commands.redrive(**arguments)  # type: ignore[arg-type]


def failed(version: int = 5, **changes: Any) -> LedgerEntry:
    return entry(LedgerType.ACTION_FAILED, version=version, status=Status.FAILED, **changes)


def test_a_redrive_names_the_generation_that_the_caller_saw() -> None:
    world = World(redrive_answer(LedgerType.REDRIVE_ACCEPTED, "OPENED", generation=3))
    world.hold(
        started(), failed(), entry(LedgerType.REDRIVE_ACCEPTED, version=7, generation=2, status=Status.PENDING), failed(9, generation=2)
    )

    answer = redrive(world)

    (event,) = world.events
    assert isinstance(event.data, RedriveRequested)
    assert (event.generation, event.step, event.data.reason) == (2, Step.EXECUTE, "the field was added")
    assert isinstance(answer, Accepted)
    assert (answer.status, "generation 3" in answer.message) == (Status.PENDING, True)


def test_the_same_command_twice_in_the_log_is_one_event_because_its_id_is_the_commands() -> None:
    world = World(redrive_answer(LedgerType.REDRIVE_ACCEPTED, "OPENED"))
    world.hold(started(), claimed(1, version=3), failed())

    redrive(world)
    resolve(world, is_applied=True)

    again, found = world.events
    assert isinstance(again.data, RedriveRequested)
    assert isinstance(found.data, Fact)
    assert (again.event_id, found.event_id) == (again.data.command_id, found.data.command_id)


def test_a_redrive_of_what_never_began_says_that_nothing_new_is_opened() -> None:
    world = World(redrive_answer(LedgerType.REDRIVE_ACCEPTED, "SENT_AGAIN"))
    world.hold(started())

    answer = redrive(world)

    assert isinstance(answer, Accepted)
    assert "nothing new is opened" in answer.message


@pytest.mark.parametrize(
    ("result", "kind", "words"),
    [
        ("something was applied", TooLate, "not done again"),
        ("an attempt is in doubt", InDoubt, "resolve it first"),
        ("an attempt is open or unknown", InDoubt, "resolve it first"),
        ("a claim's time is not over", Refused, "in 15 s"),
        ("not the current generation", Refused, "started it again already"),
        ("not ended", Refused, "has not ended"),
        ("older than the log remembers", Refused, "older than the log remembers"),
        ("", Refused, "does not allow it"),
    ],
)
def test_a_refused_redrive_says_why_in_plain_words(result: str, kind: type, words: str) -> None:
    world = World(redrive_answer(LedgerType.REDRIVE_REFUSED, result))
    world.hold(started(), claimed(1, version=3), failed())

    answer = redrive(world)

    assert isinstance(answer, kind)
    assert words in answer.message  # type: ignore[attr-defined]


def test_a_redrive_that_comes_too_early_without_a_lease_in_sight_says_when_to_try() -> None:
    world = World(redrive_answer(LedgerType.REDRIVE_REFUSED, "a claim's time is not over"))
    world.hold(started(), failed())

    answer = redrive(world)

    assert isinstance(answer, Refused)
    assert "in a minute" in answer.message


def test_a_redrive_without_an_answer_is_recorded() -> None:
    world = World()
    world.hold(started(), failed())

    assert isinstance(redrive(world, timeout_s=1.0), Recorded)


def test_a_redrive_after_the_deadline_is_refused_because_it_would_only_expire() -> None:
    world = World()
    deadline_s = world.clock.wall_ms() // 1000
    world.hold(entry(LedgerType.EXECUTION_STARTED, status=Status.PENDING, details={"expires_at_epoch": str(deadline_s)}), failed())

    with pytest.raises(CommandRefusedError, match="deadline passed 0 s ago"):
        redrive(world)

    assert world.events == []


def test_a_compensation_is_redriven_by_its_own_generation() -> None:
    world = World(redrive_answer(LedgerType.REDRIVE_ACCEPTED, "OPENED", generation=2))
    world.hold(started(), entry(LedgerType.COMPENSATION_FAILED, version=8, step=Step.COMPENSATE, generation=4), failed(generation=2))

    answer = redrive(world, step=Step.COMPENSATE)

    assert isinstance(answer, Accepted)
    assert "compensation is tried again" in answer.message
    assert [(event.step, event.generation) for event in world.events] == [(Step.COMPENSATE, 4)]


def test_a_compensation_that_never_was_is_not_redriven() -> None:
    world = World()
    world.hold(started(), failed())

    with pytest.raises(CommandRefusedError, match="never compensated"):
        redrive(world, step=Step.COMPENSATE)

    assert world.events == []


def test_a_refused_finding_says_what_the_log_knows() -> None:
    def owner(event: ExecutionEvent) -> LedgerEntry | None:
        assert isinstance(event.data, Fact)
        details = {"command_id": event.data.command_id or "", "result": "it is NOT_APPLIED already"}
        return entry(LedgerType.RESOLVE_REFUSED, version=31, attempt=1, cause=event.event_id, details=details)

    world = World(owner)
    world.hold(started(), claimed(1, version=3), doubt(1, version=4))

    answer = resolve(world, is_applied=False)

    assert isinstance(answer, InDoubt)
    assert "it is NOT_APPLIED already" in answer.message
