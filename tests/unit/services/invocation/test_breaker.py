"""The breaker by itself: what it counts, when it opens, how it is tried again."""

import math

import pytest

from connectors.contract import CallResult
from enact.clock import ManualClock
from enact.errors import (
    AmbiguousError,
    AnswerTimeoutError,
    AuthError,
    DownstreamError,
    ErrorCode,
    NotNowError,
    RateLimitError,
    RejectedError,
    TransientError,
    UnreachableError,
    UnusableAnswerError,
)
from enact.metrics import BreakerState
from services.invocation import breaker as breaker_module
from services.invocation.breaker import BreakerRule, Breakers, is_transport_failure
from tests.unit.services.invocation.fakes import APPLIED

AWAY = UnreachableError("Nobody there.")
RULE = BreakerRule(failures=3, open_s=10, max_open_s=60, trials=2)


class Way:
    """Breakers with one tenant and connector in mind."""

    def __init__(self, rule: BreakerRule = RULE) -> None:
        self.clock = ManualClock()
        self.spread = 1.0
        self.breakers = Breakers(rule, self.clock, lambda low, high: self.spread)
        self._calls = 0

    def call(self, result: CallResult | BaseException | None, *, tenant: str = "acme") -> bool:
        """One call from gate to fact; False if the gate or the last look refused it."""
        self._calls += 1
        slot = f"nonce-{self._calls}"
        if self.breakers.refuses_a_start(tenant, "crm"):
            return False
        self.breakers.take(tenant, "crm", slot)
        may_go = not self.breakers.refuses(tenant, "crm", slot)
        if may_go:
            self.breakers.learn(tenant, "crm", slot, result)
        self.breakers.give_back(slot)
        return may_go

    def open(self) -> None:
        """Open it for the first time."""
        for _ in range(RULE.failures):
            self.call(AWAY)
        assert self.is_closed_to_calls

    @property
    def is_closed_to_calls(self) -> bool:
        return self.breakers.refuses_a_start("acme", "crm")

    @property
    def state(self) -> str | None:
        return next((state for (connector, state), count in self.breakers.counts().items() if count and connector == "crm"), None)


@pytest.mark.parametrize(
    ("result", "is_failure"),
    [
        (UnreachableError("x"), True),
        (DownstreamError("x"), True),
        (AnswerTimeoutError("x"), True),
        (AmbiguousError("x"), True),
        (TimeoutError(), True),
        (UnusableAnswerError("x"), False),
        (NotNowError("x"), False),
        (RateLimitError("x"), False),
        (TransientError("x"), False),
        (RejectedError("x"), False),
        (AuthError("x"), False),
        (APPLIED, False),
        (None, False),
        (AuthError("x", code=ErrorCode.CREDENTIALS_MISSING), None),
        (ZeroDivisionError(), None),
    ],
)
def test_only_the_way_to_a_system_counts_and_not_what_it_says(result: CallResult | BaseException | None, is_failure: bool | None) -> None:
    """Planted bug: a breaker that counts 4xx or 429."""
    assert is_transport_failure(result) is is_failure


def test_failures_in_a_row_open_it_for_this_tenant_and_no_other() -> None:
    way = Way()

    assert [way.call(AWAY) for _ in range(4)] == [True, True, True, False]
    assert way.call(AWAY, tenant="globex")
    assert not way.breakers.refuses_a_start("acme", "calendar")


def test_an_answer_between_failures_begins_the_count_again() -> None:
    way = Way()

    for _ in range(5):
        way.call(AWAY)
        way.call(AWAY)
        for answer in (RejectedError("no"), APPLIED, APPLIED, APPLIED):
            way.call(answer)

    assert not way.is_closed_to_calls


def test_half_of_many_calls_within_ten_seconds_open_it_too() -> None:
    way = Way()

    for _ in range(5):
        way.call(AWAY)
        way.call(APPLIED)
    assert not way.is_closed_to_calls
    way.call(AWAY)

    assert way.is_closed_to_calls


def test_half_of_few_calls_over_a_long_time_do_not() -> None:
    way = Way()

    for _ in range(20):
        way.call(AWAY)
        way.call(APPLIED)
        way.clock.advance(11)

    assert not way.is_closed_to_calls


@pytest.mark.parametrize("result", [RateLimitError("x"), RejectedError("x"), AuthError("x"), UnusableAnswerError("x"), ZeroDivisionError()])
def test_no_number_of_refusals_opens_it(result: BaseException) -> None:
    way = Way()

    assert all(way.call(result) for _ in range(100))


def test_it_is_tried_after_its_time_with_no_more_calls_at_once_than_the_budget() -> None:
    """Planted bug: half-open without a budget."""
    way = Way()
    way.open()
    way.clock.advance(9.9)
    assert way.is_closed_to_calls
    way.clock.advance(0.1)

    for slot in ("one", "two"):
        assert not way.is_closed_to_calls
        way.breakers.take("acme", "crm", slot)

    assert way.is_closed_to_calls
    assert way.state == BreakerState.HALF_OPEN
    assert not way.breakers.refuses("acme", "crm", "one")
    assert way.breakers.refuses("acme", "crm", "reserved before it opened")


def test_answers_to_the_budget_close_it() -> None:
    way = Way()
    way.open()
    way.clock.advance(10)

    assert way.call(APPLIED)
    assert way.state == BreakerState.HALF_OPEN
    assert way.call(RejectedError("An answer is an answer."))

    assert way.state == BreakerState.CLOSED
    assert all(way.call(AWAY) for _ in range(2)), "and it counts from the beginning"


def test_a_failed_trial_opens_it_for_twice_as_long_up_to_a_bound() -> None:
    way = Way()
    way.open()
    waits = []

    for _ in range(5):
        began_s = way.clock.boot_s()
        while way.is_closed_to_calls:
            way.clock.advance(0.5)
        waits.append(way.clock.boot_s() - began_s)
        way.call(AWAY)

    assert waits == [10, 20, 40, 60, 60]


def test_the_time_is_spread() -> None:
    way = Way()
    way.spread = 1.2
    way.open()

    way.clock.advance(11.9)
    assert way.is_closed_to_calls
    way.clock.advance(0.1)
    assert not way.is_closed_to_calls


def test_one_that_opens_again_soon_after_closing_goes_on_where_it_was() -> None:
    way = Way()
    way.open()
    way.clock.advance(10)
    way.call(APPLIED)
    way.call(APPLIED)

    way.open()
    way.clock.advance(19.9)
    assert way.is_closed_to_calls
    way.clock.advance(0.1)
    way.call(APPLIED)
    way.call(APPLIED)
    way.clock.advance(61)
    way.open()
    way.clock.advance(10)

    assert not way.is_closed_to_calls


def test_a_permit_is_free_again_when_its_call_was_never_sent() -> None:
    """Planted bug: a refusal at the last look keeps the permit."""
    way = Way()
    way.open()
    way.clock.advance(10)
    for slot in ("one", "two"):
        way.breakers.take("acme", "crm", slot)
    assert way.is_closed_to_calls

    way.breakers.give_back("one")
    way.breakers.give_back("one")

    assert not way.is_closed_to_calls


def test_what_began_before_it_opened_says_nothing_about_the_trial() -> None:
    way = Way()
    way.open()
    way.breakers.learn("acme", "crm", "late", APPLIED)
    assert way.is_closed_to_calls
    way.clock.advance(10)
    way.breakers.take("acme", "crm", "one")

    way.breakers.learn("acme", "crm", "late", AWAY)
    way.breakers.learn("acme", "crm", "late", APPLIED)
    way.breakers.learn("acme", "crm", "late", APPLIED)

    assert way.state == BreakerState.HALF_OPEN


def test_a_failed_trial_refuses_the_others_at_their_last_look() -> None:
    way = Way()
    way.open()
    way.clock.advance(10)
    for slot in ("one", "two"):
        way.breakers.take("acme", "crm", slot)

    way.breakers.learn("acme", "crm", "one", AWAY)

    assert way.breakers.refuses("acme", "crm", "two")
    way.breakers.give_back("one")
    way.breakers.give_back("two")
    way.clock.advance(20)
    assert not way.is_closed_to_calls


def test_a_reservation_in_the_moment_of_opening_is_refused_at_the_last_look() -> None:
    way = Way()
    assert not way.is_closed_to_calls
    way.open()

    way.breakers.take("acme", "crm", "a moment too late")

    assert way.breakers.refuses("acme", "crm", "a moment too late")


def test_what_an_unknown_breaker_held_is_begun_as_a_trial() -> None:
    """After a restart, or from another instance: nobody here knows whether the system is back."""
    way = Way()

    assert not way.breakers.refuses_a_start("acme", "crm", was_held=True)
    for slot in ("one", "two"):
        way.breakers.take("acme", "crm", slot)
    assert way.breakers.refuses_a_start("acme", "crm", was_held=True)
    way.breakers.learn("acme", "crm", "one", AWAY)
    way.breakers.give_back("one")
    way.breakers.give_back("two")

    assert way.state == BreakerState.OPEN
    way.clock.advance(10)
    assert not way.is_closed_to_calls


def test_what_answers_without_ever_having_failed_is_not_remembered() -> None:
    way = Way()

    for number in range(100):
        way.call(APPLIED, tenant=f"tenant-{number}")

    assert way.breakers.counts() == {}


def test_the_memory_of_closed_breakers_is_bounded_and_open_ones_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker_module, "_MAX_KEPT", 5)
    way = Way()
    way.open()

    for number in range(20):
        way.call(AWAY, tenant=f"tenant-{number}")

    assert way.breakers.counts().total() <= 5
    assert way.is_closed_to_calls


def test_one_that_never_opened_has_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    assert breaker_module.Breaker(RULE).until_s == -math.inf
