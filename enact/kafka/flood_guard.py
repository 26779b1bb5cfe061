"""Stops a stage that fails on everything: a bad deploy must not send a topic to the dead letters."""

from collections import deque

_WINDOW = 200
_MAX_RATIO = 0.5
_MAX_IN_A_ROW = 100


class FloodGuard:
    """Counts unexpected exceptions over the last 200 records; refusals are expected and never count."""

    def __init__(self) -> None:
        self._recent: deque[bool] = deque(maxlen=_WINDOW)
        self._in_a_row = 0

    def saw(self, *, is_unexpected: bool) -> None:
        """Note how one record ended."""
        self._recent.append(is_unexpected)
        self._in_a_row = self._in_a_row + 1 if is_unexpected else 0

    @property
    def is_tripped(self) -> bool:
        """True after 100 unexpected exceptions in a row, or more than half of a full window of 200."""
        is_full = len(self._recent) == _WINDOW
        return self._in_a_row >= _MAX_IN_A_ROW or (is_full and sum(self._recent) > _MAX_RATIO * _WINDOW)
