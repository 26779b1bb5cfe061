"""What people are told: the ledger entry of every transition, and results that say the whole truth at their offset."""

import pytest
from msgspec.structs import replace

from enact.errors import AmbiguousError, PermanentError
from enact.execution import DAY_MS
from enact.records import (
    CancelRequested,
    Effect,
    Expired,
    Fact,
    FactSource,
    LedgerEntry,
    Parked,
    ParkReason,
    RedriveRequested,
    Refused,
    Released,
    Status,
)
from tests.factories import make_ref
from tests.unit.services.invocation.fakes import APPLIED
from tests.unit.services.invocation.world import IDEMPOTENT, ONCE, STRANGER, UPSERT, World, a_claim

CANCEL = CancelRequested(command_id="command-1", reason="not wanted")


def in_doubt(world: World) -> str:
    """One call whose answer was lost and cannot be repeated; its nonce."""
    world.use_tool(effect_class=ONCE)
    world.publish(world.call())
    world.connector.answers.append(AmbiguousError("Lost."))
    world.settle()
    return world.connector.calls[0].nonce


def human(nonce: str, effect: Effect) -> Fact:
    return Fact(attempt=1, nonce=nonce, effect=effect, source=FactSource.HUMAN, command_id="command-1", reason="looked it up")


def last(world: World, type_: str) -> LedgerEntry:
    return [entry for entry in world.ledger() if entry.type == type_][-1]


def test_an_entry_says_where_it_comes_from(world: World) -> None:
    world.publish(world.call())

    world.settle()

    claimed, concluded = world.ledger()
    call = world.connector.calls[0]
    assert (claimed.status, concluded.status) == (Status.EXECUTING, None)
    assert claimed.details["nonce"] == call.nonce
    assert claimed.details["lease_ms"] == "15000"
    assert claimed.details["request_digest"] == world.call().request_digest
    assert (concluded.details["effect"], concluded.details["by"]) == ("APPLIED", "CALL")
    assert [(entry.version, entry.source.offset, entry.source.topic) for entry in world.ledger()] == [(0, 0, "log"), (1, 1, "log")]
    assert {entry.details["first_ms"] for entry in world.ledger()} == {str(world.clock.now_ms)}
    assert claimed.account_id == "account-1"
    assert claimed.stage == "invocation"


def test_a_cancel_before_the_claim_is_accepted(world: World) -> None:
    call = world.call()
    world.append(Parked(reason=ParkReason.QUEUE, not_before_ms=world.clock.now_ms + 60_000), call=call, subject=call)
    world.append(CANCEL)

    world.settle()

    assert (last(world, "CANCEL_ACCEPTED").details["result"], world.statuses()) == ("CANCELLED", ["CANCELLED"])
    assert world.connector.calls == []


def test_a_cancel_while_the_call_is_under_way_lets_the_fact_decide(world: World) -> None:
    world.publish(world.call())
    world.turn(2)
    answer = world.hold_answer()
    world.calls()

    world.append(CANCEL)
    world.turn()
    assert last(world, "CANCEL_ACCEPTED").details["result"] == "NO_LATER_CALL"
    answer.set_result(APPLIED)
    world.settle()

    assert world.statuses() == ["SUCCEEDED"]


@pytest.mark.parametrize("is_doubtful", [True, False])
def test_a_cancel_that_comes_too_late_is_refused(world: World, is_doubtful: bool) -> None:
    if is_doubtful:
        in_doubt(world)
    else:
        world.publish(world.call())
        world.settle()

    world.append(CANCEL)
    world.settle()

    assert last(world, "CANCEL_REFUSED").details["result"] == ("IN_DOUBT" if is_doubtful else "SUCCEEDED")


@pytest.mark.parametrize(
    "bar", [CANCEL, Expired(expires_at_epoch=0), Refused(code="TOOL_REJECTED", message="No.")], ids=lambda b: type(b).__name__
)
def test_a_bar_that_leaves_no_step_raises_the_doubt(world: World, bar: CancelRequested | Expired | Refused) -> None:
    """The answer is unknown and a repeat was still possible: the bar takes it away."""
    world.use_tool(effect_class=IDEMPOTENT)
    world.publish(world.call())
    world.connector.answers.append(AmbiguousError("Lost."))
    world.turn(2)
    world.calls()
    world.are_switches_reachable = False
    world.clock.advance(3_600)
    world.turn()
    assert "DOUBT_RAISED" not in world.entries_written()

    world.append(bar)
    world.turn()

    assert last(world, "DOUBT_RAISED").status == Status.IN_DOUBT
    assert world.statuses() == ["IN_DOUBT"]


@pytest.mark.parametrize(("effect", "status"), [(Effect.APPLIED, "SUCCEEDED"), (Effect.NOT_APPLIED, "FAILED")])
def test_a_person_resolves_a_doubt(world: World, effect: Effect, status: str) -> None:
    nonce = in_doubt(world)
    world.clock.advance(15)

    world.append(replace(human(nonce, effect), refs=(make_ref(),) if effect is Effect.APPLIED else ()))
    world.settle()

    resolved = last(world, "DOUBT_RESOLVED")
    assert (resolved.details["command_id"], resolved.details["effect"]) == ("command-1", effect.value)
    assert world.statuses() == ["IN_DOUBT", status]
    assert world.letters() == []
    assert len(world.connector.calls) == 1


def test_a_persons_denial_before_the_lease_is_over_is_refused(world: World) -> None:
    nonce = in_doubt(world)

    world.append(human(nonce, Effect.NOT_APPLIED))
    world.settle()

    refused = last(world, "RESOLVE_REFUSED").details
    assert refused["command_id"] == "command-1"
    assert refused["result"] == "its lease is not over: the call may still be under way"
    assert world.statuses() == ["IN_DOUBT"]


def test_a_refused_denial_says_what_stands_against_it(world: World) -> None:
    world.publish(world.call())
    world.settle()

    world.append(human(world.connector.calls[0].nonce, Effect.NOT_APPLIED))
    world.settle()
    known = last(world, "RESOLVE_REFUSED").details["result"]
    world.append(human("never-claimed", Effect.NOT_APPLIED))
    world.settle()

    assert known == "it is APPLIED already"
    assert last(world, "RESOLVE_REFUSED").details["result"] == "no such attempt"


def test_a_release_that_clears_a_doubt_says_so(world: World) -> None:
    world.use_tool(effect_class=ONCE)
    call = world.call()
    world.append(a_claim(call, owner=STRANGER), call=call, subject=call)
    world.append(Fact(attempt=1, nonce="theirs", effect=Effect.UNKNOWN, source=FactSource.TAKE_OVER))
    world.turn()

    world.append(Released(attempt=1, nonce="theirs"))
    world.turn()

    assert world.entries_written()[-2:] == ["ATTEMPT_CONCLUDED", "DOUBT_RESOLVED"]
    assert last(world, "ATTEMPT_CONCLUDED").status == Status.PENDING


def test_a_late_fact_that_clears_a_doubt_says_so(world: World) -> None:
    nonce = in_doubt(world)

    world.append(Fact(attempt=1, nonce=nonce, effect=Effect.APPLIED, source=FactSource.LATE))
    world.settle()

    assert last(world, "DOUBT_RESOLVED").details["by"] == "LATE"
    assert world.statuses() == ["IN_DOUBT", "SUCCEEDED"]


def test_an_event_that_changes_nothing_is_told_to_nobody(world: World) -> None:
    world.publish(world.call())
    world.settle()
    before = len(world.ledger())

    world.append(Released(attempt=1, nonce="never-claimed"))
    world.append(Released(attempt=1, nonce=world.connector.calls[0].nonce))
    world.append(Fact(attempt=1, nonce=world.connector.calls[0].nonce, effect=Effect.UNKNOWN, source=FactSource.TAKE_OVER))
    world.append(Parked(reason=ParkReason.SWITCH, not_before_ms=0))
    world.append(Expired(expires_at_epoch=0))
    world.append(Refused(code="TOOL_REJECTED", message="Too late."))
    world.settle()

    assert len(world.ledger()) == before
    assert world.statuses() == ["SUCCEEDED"]


def test_evidence_of_an_attempt_that_is_not_a_valid_claim_counts(world: World) -> None:
    world.publish(world.call())
    world.connector.answers.append(PermanentError("Never."))
    world.settle()

    world.append(Fact(attempt=9, nonce="forgotten", effect=Effect.PARTIAL, source=FactSource.LATE, refs=(make_ref(object_id="half"),)))
    world.settle()

    assert [ref.object_id for ref in world.results()[-1].execute.external_object_refs] == ["half"]
    assert world.results()[-1].execute.effect == Effect.PARTIAL


def test_a_failure_is_kept_for_a_person_once(world: World) -> None:
    world.publish(world.call())
    world.connector.answers.append(PermanentError("Never."))
    world.settle()

    world.append(Fact(attempt=9, nonce="forgotten", effect=Effect.PARTIAL, source=FactSource.LATE))
    world.settle()

    assert world.letter_codes() == ["TOOL_REJECTED"]


def test_a_code_of_a_newer_version_is_filed_as_rejected(world: World) -> None:
    call = world.call()
    world.append(Refused(code="NEW_CODE", message="Something new."), call=call, subject=call)

    world.settle()

    error = world.results()[0].execute.error
    assert error is not None
    assert error.code == "NEW_CODE"
    assert world.letter_codes() == ["TOOL_REJECTED"]


def test_an_execution_without_any_subject_is_told_by_its_ids(world: World) -> None:
    world.append(Fact(attempt=1, nonce="n", effect=Effect.APPLIED, source=FactSource.LATE, refs=(make_ref(),)))

    world.settle()

    (result,) = world.results()
    assert (result.tenant_id, result.account_id, result.execute.status) == ("acme", "", "SUCCEEDED")


def test_a_redrive_that_came_before_its_end_is_refused_with_the_reason(world: World) -> None:
    world.publish(world.call())
    world.turn(2)

    world.append(RedriveRequested(command_id="command-1", reason="hurry"))
    world.turn()

    assert last(world, "REDRIVE_REFUSED").details["result"] == "not ended"


def test_an_execution_older_than_the_log_remembers_starts_nothing(world: World) -> None:
    call = world.call(expires_at_epoch=world.clock.now_ms // 1000 + 90 * 86_400)
    world.append(Parked(reason=ParkReason.RETRY, not_before_ms=0), call=call, subject=call, first_ms=world.clock.now_ms - 29 * DAY_MS)

    world.settle()

    assert world.connector.calls == []
    assert world.types() == ["PARKED"]


def test_a_hold_that_ends_otherwise_says_that_it_ended(world: World) -> None:
    world.use_tool(effect_class=UPSERT)
    call = world.call()
    world.append(Parked(reason=ParkReason.BREAKER, not_before_ms=world.clock.now_ms), call=call, subject=call)
    world.append(Parked(reason=ParkReason.RETRY, not_before_ms=world.clock.now_ms + 60_000), call=call)

    world.turn()

    assert world.entries_written() == ["EXECUTION_HELD", "EXECUTION_RELEASED"]
