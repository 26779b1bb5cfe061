"""How many claims may be under way: fewer while they are read back too late, so that a starved process gets on, and more again."""

import pytest

from enact.records import Claimed, Released
from services.invocation import caller
from services.invocation.window import FEWEST, Slot, Window
from tests.unit.services.invocation.world import World

SLOW_S_PER_CLAIM = 0.05
"""What a claim costs a process that is starved of processor time, until it is read back."""


def full(window: Window) -> Window:
    """Takes all the room there is."""
    for number in range(window.room):
        window.take(f"{len(window)}-{number}", Slot("acme|crm", b"key"))
    return window


def test_claims_that_come_back_too_late_halve_the_window_once_for_all_that_were_made_before() -> None:
    window = full(Window(100))

    for _ in range(50):
        window.narrow(claimed_s=10, now_s=13)
    once = window.share
    window.narrow(claimed_s=13, now_s=16)

    assert once == 50 // 4
    assert window.share == 25 // 4
    assert window.room == 0


def test_the_window_never_closes_and_opens_again_with_every_claim_that_is_in_time() -> None:
    window = Window(100)
    for second in range(20):
        window.narrow(claimed_s=second, now_s=second)

    fewest = window.room
    for _ in range(200):
        window.widen()

    assert fewest == FEWEST
    assert window.room == 100


def test_a_starved_process_claims_what_it_can_read_back_in_time_and_gets_everything_done(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caller, "_GATHER_S", 0.0)  # in real time, which this world's turns do not wait for
    world.publish(*(world.call(f"int-{number}", tenant_id=f"tenant-{number % 8}") for number in range(160)))

    for _ in range(60):
        claimed = world.types().count("CLAIMED")
        world.turn()
        world.clock.advance(SLOW_S_PER_CLAIM * (world.types().count("CLAIMED") - claimed))
        world.turn()
        world.calls()
        world.clock.advance(1)

    assert len(world.connector.calls) == 160, "what all comes back too late is claimed again and again"
    assert len(world.data(Released)) < 3 * 160
    assert len(world.data(Claimed)) == 160 + len(world.data(Released))
