"""How long a lost answer may be followed by the same call: while the provider still remembers the key, counted from the first claim."""

import pytest
from msgspec.structs import replace

from enact.errors import AmbiguousError
from enact.records import Claimed, Effect, Fact, FactSource
from tests.unit.services.invocation.world import IDEMPOTENT, World

KEY_TTL_S = 100
CALL_S = 15
"""Time-out of the call and start slack: so long before its end a repeat has to begin."""


def lose_an_answer(world: World) -> None:
    world.connector.answers.append(AmbiguousError("Lost."))
    world.turn(2)
    world.calls()


@pytest.fixture
def lost(world: World) -> World:
    """A first call whose answer was lost, just now."""
    world.use_tool(effect_class=replace(IDEMPOTENT, key_ttl_s=KEY_TTL_S))
    world.publish(world.call())
    lose_an_answer(world)
    assert len(world.connector.calls) == 1
    return world


@pytest.mark.parametrize(("waited_s", "calls", "status"), [(84.9, 2, "SUCCEEDED"), (85.0, 1, "IN_DOUBT"), (85.1, 1, "IN_DOUBT")])
def test_a_repeat_has_to_end_before_the_key_may_be_forgotten(lost: World, waited_s: float, calls: int, status: str) -> None:
    lost.clock.advance(waited_s)
    lost.settle()

    assert len(lost.connector.calls) == calls
    assert len({call.idempotency_key for call in lost.connector.calls}) == 1
    assert lost.statuses()[-1] == status


def test_the_memory_counts_from_the_first_claim_and_not_from_the_last(lost: World) -> None:
    lost.clock.advance(50)
    lose_an_answer(lost)
    assert len(lost.connector.calls) == 2

    lost.clock.advance(KEY_TTL_S - CALL_S - 50)
    lost.settle()

    assert len(lost.connector.calls) == 2
    assert lost.statuses()[-1] == "IN_DOUBT"


def test_the_end_of_the_memory_is_told_once_and_is_never_followed_by_a_claim(lost: World) -> None:
    lost.clock.advance(KEY_TTL_S)
    lost.settle(20)

    given_up = [fact for fact in lost.data(Fact) if fact.source is FactSource.TAKE_OVER]
    assert [(fact.effect, fact.attempt, fact.error is not None and fact.error.is_permanent) for fact in given_up] == [
        (Effect.UNKNOWN, 1, True)
    ]
    assert len(lost.data(Claimed)) == 1


def test_the_claimants_late_word_ends_the_doubt_about_a_forgotten_key(lost: World) -> None:
    lost.clock.advance(KEY_TTL_S)
    lost.settle()

    nonce = lost.connector.calls[0].nonce
    lost.append(Fact(attempt=1, nonce=nonce, effect=Effect.APPLIED, source=FactSource.LATE))
    lost.settle()

    assert lost.statuses()[-2:] == ["IN_DOUBT", "SUCCEEDED"]
    assert lost.results()[-1].execute.is_contradicted is False
    assert len(lost.connector.calls) == 1
