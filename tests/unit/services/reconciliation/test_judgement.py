"""At its end, on its way within a bound, or lost: every state, before and after its bound."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enact.execution import DAY_MS
from enact.lifecycle import TERMINAL
from enact.records import (
    Decision,
    Effect,
    Expired,
    Fact,
    FactSource,
    LedgerType,
    Parked,
    ParkReason,
    RedriveRequested,
    Released,
    Status,
)
from services.reconciliation.bounds import BOUNDS as TABLE
from services.reconciliation.case import Case
from services.reconciliation.judgement import Finding, Judgement, Lack, Settled, Waiting, judge
from tests.unit.enact.event_factories import EXPIRES_S, LEASE_MS, LOOKUP, START_MS, UPSERT, a_claim, a_tool_call
from tests.unit.services.reconciliation.said import BOUNDS, Said, add_all, admitted, begun, case_of, entered, happened, told

DEADLINE_MS = EXPIRES_S * 1000


def claimed(**more: object) -> Said:
    return happened(a_claim(**more), subject=a_tool_call())  # type: ignore[arg-type]


def fact(effect: Effect, *, attempt: int = 1, source: FactSource = FactSource.CALL, **more: object) -> Fact:
    return Fact(attempt=attempt, nonce=f"n{attempt}", effect=effect, source=source, **more)  # type: ignore[arg-type]


SUCCEEDED = [
    *begun(),
    claimed(),
    happened(fact(Effect.APPLIED)),
    told(Status.SUCCEEDED, 1),
    entered(LedgerType.ACTION_EXECUTED, 1),
]


def judged(said: list[Said], at_ms: int) -> Judgement:
    return judge(case_of(said), at_ms, BOUNDS)


def lack_of(said: list[Said], at_ms: int) -> Lack | None:
    found = judged(said, at_ms)
    return found.lack if isinstance(found, Finding) else None


def test_every_state_that_is_no_end_has_a_bound_and_says_what_happens_after_it() -> None:
    states = frozenset(Status) - TERMINAL - {Status.UNKNOWN}

    assert set(TABLE) == states
    assert all(bound.counted_from and bound.then for bound in TABLE.values())


def test_what_succeeded_and_was_told_is_settled_for_ever() -> None:
    assert judged(SUCCEEDED, START_MS + 20 * DAY_MS) == Settled()


def test_nothing_but_what_others_remember_longer_is_no_lack() -> None:
    assert judged([told(Status.FAILED, 7), entered(LedgerType.ACTION_FAILED, 7)], START_MS + DAY_MS) == Settled()


@pytest.mark.parametrize(
    ("missing", "lack"),
    [
        (5, Lack.NO_LEDGER),
        (4, Lack.NO_OUTCOME),
        (1, Lack.NO_LEDGER),
    ],
)
def test_an_ending_that_was_not_told_everywhere_is_found_after_its_bound(missing: int, lack: Lack) -> None:
    said = [one for number, one in enumerate(SUCCEEDED) if number != missing]

    assert judged(said, START_MS + 39_999) == Waiting(START_MS + 40_000)
    assert lack_of(said, START_MS + 40_000) is lack


def test_an_outcome_of_another_status_or_generation_is_not_the_outcome() -> None:
    said = [*begun(), claimed(), happened(fact(Effect.APPLIED)), told(Status.FAILED, 1), entered(LedgerType.ACTION_FAILED, 1)]
    ended = [*begun(), happened(Expired(expires_at_epoch=EXPIRES_S), at_ms=DEADLINE_MS, subject=a_tool_call())]
    redriven = [*ended, happened(RedriveRequested(command_id="c", reason="r"), at_ms=DEADLINE_MS), told(Status.EXPIRED, 0)]

    assert lack_of(said, START_MS + 40_000) is Lack.NO_OUTCOME
    assert lack_of([*ended, told(Status.EXPIRED, 0), entered(LedgerType.ACTION_FAILED, 0)], DEADLINE_MS + DAY_MS) is None
    assert lack_of(redriven, DEADLINE_MS + DAY_MS) is Lack.NOT_IN_LOG


def test_a_conclusion_that_the_ledger_has_only_for_an_earlier_version_is_missing() -> None:
    said = [*SUCCEEDED[:-2], told(Status.SUCCEEDED, 9), entered(LedgerType.ACTION_EXECUTED, 8)]

    assert lack_of(said, START_MS + 40_000) is Lack.NO_LEDGER


def test_an_admitted_intent_that_the_log_never_heard_of_is_found_after_its_bound_and_expires_at_its_deadline() -> None:
    assert judged(begun(), START_MS + 59_999) == Waiting(START_MS + 60_000)
    assert lack_of(begun(), START_MS + 60_000) is Lack.NOT_IN_LOG
    assert lack_of(begun(), DEADLINE_MS + 29_999) is Lack.NOT_IN_LOG
    assert lack_of(begun(), DEADLINE_MS + 30_000) is Lack.NOT_EXPIRED


def test_a_refusal_never_expires_it_is_sent_again() -> None:
    said = [admitted(decision=Decision.REFUSED)]

    assert lack_of(said, DEADLINE_MS + DAY_MS) is Lack.NOT_IN_LOG


def test_a_second_generation_is_judged_by_the_log_not_by_the_first_admission() -> None:
    ended = happened(Expired(expires_at_epoch=EXPIRES_S), at_ms=DEADLINE_MS, subject=a_tool_call())
    said = [*begun(), ended, happened(RedriveRequested(command_id="c", reason="r"), at_ms=DEADLINE_MS)]

    found = judged(said, DEADLINE_MS + 60_000)

    assert isinstance(found, Finding)
    assert (found.lack, found.generation) == (Lack.NOT_IN_LOG, 2)


def test_an_open_claim_has_its_lease_its_settle_time_and_the_bound() -> None:
    said = [*begun(), claimed(effect_class=LOOKUP)]

    ends_ms = START_MS + LEASE_MS + 5_000 + 50_000

    assert judged(said, ends_ms - 1) == Waiting(ends_ms)
    assert lack_of(said, ends_ms) is Lack.STANDS_STILL


def test_a_retry_has_its_due_time_and_the_bound() -> None:
    due_ms = START_MS + 600_000
    said = [*begun(), claimed(effect_class=UPSERT), happened(fact(Effect.NOT_APPLIED, not_before_ms=due_ms))]

    assert judged(said, due_ms + 49_999) == Waiting(due_ms + 50_000)
    assert lack_of(said, due_ms + 50_000) is Lack.STANDS_STILL


def test_a_release_shows_life_and_counts_from_its_own_time() -> None:
    later_ms = START_MS + 40_000
    said = [*begun(), claimed(), happened(Released(attempt=1, nonce="n1"), at_ms=later_ms)]

    assert lack_of(said, later_ms + 49_999) is None
    assert lack_of(said, later_ms + 51_000) is Lack.STANDS_STILL


@pytest.mark.parametrize("reason", [ParkReason.SWITCH, ParkReason.BREAKER, ParkReason.LIMIT, ParkReason.QUEUE])
def test_who_waits_on_purpose_or_for_a_turn_waits_until_the_deadline(reason: ParkReason) -> None:
    said = [*begun(), happened(Parked(reason=reason, not_before_ms=START_MS), subject=a_tool_call())]

    assert judged(said, DEADLINE_MS + 29_999) == Waiting(DEADLINE_MS + 30_000)
    assert lack_of(said, DEADLINE_MS + 30_000) is Lack.NOT_EXPIRED


def test_what_is_in_doubt_waits_for_a_person_once_that_was_told() -> None:
    doubt = [*begun(), claimed(), happened(fact(Effect.UNKNOWN, source=FactSource.TAKE_OVER))]

    assert lack_of(doubt, START_MS + 40_000) is Lack.NO_OUTCOME
    assert judged([*doubt, told(Status.IN_DOUBT, 1)], DEADLINE_MS + DAY_MS) == Settled()


def test_a_doubt_that_was_resolved_needs_its_new_outcome() -> None:
    at_ms = START_MS + LEASE_MS
    said = [*begun(), claimed(), happened(fact(Effect.UNKNOWN, source=FactSource.TAKE_OVER)), told(Status.IN_DOUBT, 1)]
    said.append(happened(fact(Effect.NOT_APPLIED, source=FactSource.HUMAN), at_ms=at_ms))

    assert lack_of(said, at_ms + 40_000) is Lack.NO_OUTCOME


@pytest.mark.parametrize("status", [Status.SUCCEEDED, Status.FAILED])
def test_what_ended_is_never_expired(status: Status) -> None:
    effect = Effect.APPLIED if status is Status.SUCCEEDED else Effect.PARTIAL
    said = [*begun(), claimed(), happened(fact(effect))]

    assert lack_of(said, DEADLINE_MS + DAY_MS) is Lack.NO_OUTCOME
    assert lack_of([*said, told(status, 1)], DEADLINE_MS + DAY_MS) is Lack.NO_LEDGER


def test_what_is_older_than_the_logs_remember_is_let_be() -> None:
    assert judged(begun(), START_MS + 29 * DAY_MS) == Settled()
    assert judged([*begun(), claimed()], START_MS + 29 * DAY_MS) == Settled()


def test_events_that_nobody_can_read_are_told() -> None:
    case = case_of(begun())
    case.add_event(0, b"\xc3\x01nonsense", at_ms=START_MS, log_ms=START_MS)

    found = judge(case, START_MS + DAY_MS, BOUNDS)

    assert isinstance(found, Finding)
    assert found.lack is Lack.UNREADABLE


HISTORIES: dict[str, list[Said]] = {
    "succeeded": SUCCEEDED,
    "open": [*begun(), claimed()],
    "held": [*begun(), happened(Parked(reason=ParkReason.SWITCH, not_before_ms=START_MS), subject=a_tool_call())],
    "doubt": [*begun(), claimed(), happened(fact(Effect.UNKNOWN, source=FactSource.TAKE_OVER)), told(Status.IN_DOUBT, 1)],
    "contradicted": [
        *begun(),
        claimed(),
        happened(fact(Effect.NOT_APPLIED)),
        told(Status.FAILED, 1),
        entered(LedgerType.ACTION_FAILED, 1),
        happened(fact(Effect.APPLIED, source=FactSource.LATE)),
        told(Status.SUCCEEDED, 2),
        entered(LedgerType.ACTION_EXECUTED, 2),
    ],
    "redriven": [
        *begun(),
        happened(Expired(expires_at_epoch=EXPIRES_S), at_ms=DEADLINE_MS, subject=a_tool_call()),
        told(Status.EXPIRED, 0),
        happened(RedriveRequested(command_id="c", reason="r"), at_ms=DEADLINE_MS),
        admitted(2, at_ms=DEADLINE_MS, expires_at_epoch=EXPIRES_S + 900),
        entered(LedgerType.EXECUTION_STARTED, generation=2, at_ms=DEADLINE_MS),
    ],
}


def interleaved(said: list[Said], seed: int) -> list[Said]:
    """Another order between the topics; each topic keeps its own."""
    order = [one.topic for one in said]
    Random(seed).shuffle(order)
    left = {topic: [one for one in said if one.topic == topic] for topic in set(order)}
    return [left[topic].pop(0) for topic in order]


@given(st.sampled_from(sorted(HISTORIES)), st.integers(), st.integers(min_value=1, max_value=8), st.integers(0, 30 * DAY_MS))
def test_any_order_of_arrival_with_any_repeats_gives_the_same_judgement(name: str, seed: int, cut: int, later_ms: int) -> None:
    said = HISTORIES[name]
    at_ms = START_MS + later_ms
    usual = case_of(said)
    other = case_of(interleaved(said, seed))
    repeated = _with_repeats(interleaved(said, seed), cut)

    assert judge(usual, at_ms, BOUNDS) == judge(other, at_ms, BOUNDS) == judge(repeated, at_ms, BOUNDS)


def _with_repeats(said: list[Said], cut: int) -> Case:
    """Looked at in between, and then everything read once more, as after a rewind."""
    case = case_of(said[:-cut])
    judge(case, START_MS, BOUNDS)
    add_all(case, said)
    return case
