"""Two folds, written apart, say the same of every log; and the checker's own follows the rules where they are easily misread."""

from itertools import count

from hypothesis import example, given, settings

from enact.execution import verdict
from enact.records import Effect, Step
from enact.records.codec import encode
from tests.chaos.checker.avro import read_value
from tests.chaos.checker.fold import Folded
from tests.unit.enact.event_factories import LEASE_MS, Log, a_claim, a_fact, released
from tests.unit.enact.event_strategies import LOGS, Move, play


def folded(log: Log) -> Folded:
    """The log through Avro and the checker's fold."""
    state, numbers = Folded(), count()
    for event, log_ms in log.events:
        state.apply(read_value(encode(event)), log_ms=log_ms, partition=0, offset=next(numbers))
    return state


def said(log: Log) -> list[tuple[str | None, list[str]]]:
    """Status and permitted nonces of both steps, by the checker."""
    state = folded(log)
    return [(state.steps[step].status, [claim.nonce for claim in state.steps[step].valid]) for step in Step]


def said_by_enact(log: Log) -> list[tuple[str | None, list[str]]]:
    """The same by enact."""
    steps = [log.execution.step(step) for step in Step]
    statuses = [verdict(step).status for step in steps]
    return [(status and status.value, [attempt.nonce for attempt in step.attempts]) for status, step in zip(statuses, steps, strict=True)]


@settings(max_examples=300, deadline=None)
@given(LOGS)
@example([])
def test_both_folds_say_the_same_of_every_log(moves: list[Move]) -> None:
    log = play(moves, Log())

    if log.events and not log.execution.is_merely_known:
        assert said(log) == said_by_enact(log)


def test_a_claim_while_another_is_open_is_not_permitted() -> None:
    log = Log()
    log.add(a_claim(1, "a"))
    log.add(a_claim(2, "b"))

    assert said(log)[0] == ("EXECUTING", ["a"])


def test_a_nonce_that_was_released_before_its_claim_is_burnt() -> None:
    log = Log()
    log.add(released("a"))
    log.add(a_claim(1, "a"))

    assert said(log)[0][1] == []


def test_a_denial_with_another_s_nonce_says_nothing_and_proof_counts_whosever_it_is() -> None:
    denied, proven = Log(), Log()
    for log in (denied, proven):
        log.add(a_claim(1, "a"))
    denied.add(a_fact(Effect.NOT_APPLIED, "b"), after_ms=LEASE_MS)
    proven.add(a_fact(Effect.APPLIED, "b"), after_ms=LEASE_MS)

    assert said(denied)[0][0] == "EXECUTING"
    assert said(proven)[0][0] == "SUCCEEDED"
