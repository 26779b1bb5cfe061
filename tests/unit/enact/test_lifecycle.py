"""The legal moves of the public status."""

import pytest

from enact.lifecycle import LEGAL_MOVES, TERMINAL, is_legal_move
from enact.records import Status

KNOWN = [status for status in Status if status is not Status.UNKNOWN]
OPEN = [status for status in KNOWN if status not in TERMINAL]


def test_the_table_knows_every_status() -> None:
    assert set(LEGAL_MOVES) == {None, *KNOWN}


@pytest.mark.parametrize("status", KNOWN)
def test_staying_is_always_legal(status: Status) -> None:
    assert is_legal_move(status, status)


@pytest.mark.parametrize("status", KNOWN)
def test_nothing_follows_success(status: Status) -> None:
    assert is_legal_move(Status.SUCCEEDED, status) is (status is Status.SUCCEEDED)


@pytest.mark.parametrize("status", [None, *KNOWN])
def test_success_may_follow_everything(status: Status | None) -> None:
    assert is_legal_move(status, Status.SUCCEEDED)


@pytest.mark.parametrize("status", [Status.FAILED, Status.EXPIRED, Status.CANCELLED])
def test_of_the_open_statuses_only_pending_follows_an_ending(status: Status) -> None:
    assert [following for following in OPEN if is_legal_move(status, following)] == [Status.PENDING]


@pytest.mark.parametrize("status", OPEN)
def test_every_open_status_may_end_in_every_way(status: Status) -> None:
    assert all(is_legal_move(status, ending) for ending in TERMINAL)


def test_only_a_call_leads_into_doubt() -> None:
    assert {status for status in KNOWN if is_legal_move(status, Status.IN_DOUBT)} == {Status.EXECUTING, Status.RETRYING, Status.IN_DOUBT}


def test_doubt_never_leads_straight_into_a_call() -> None:
    assert not is_legal_move(Status.IN_DOUBT, Status.EXECUTING)


@pytest.mark.parametrize("status", [Status.EXPIRED, Status.CANCELLED])
def test_a_part_that_comes_to_light_makes_an_ending_without_effect_a_failure(status: Status) -> None:
    assert is_legal_move(status, Status.FAILED)
    assert not is_legal_move(Status.FAILED, status)


def test_an_unknown_status_moves_nowhere() -> None:
    assert not any(is_legal_move(Status.UNKNOWN, status) for status in KNOWN)
