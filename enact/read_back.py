"""What a stage appended to its log and will read again: found by its bytes, so that they need not be decoded a second time."""

from typing import Final, Generic, TypeVar

T = TypeVar("T")

MAX_KEPT: Final = 1_000
"""More than lies between an append and its read-back; what is dropped is decoded."""

MAX_KEPT_BYTES: Final = 8_192
"""Of one record: hostile sizes fill no memory."""


class ReadBack(Generic[T]):
    """Records by the bytes they were written as. Decides nothing: without it the same bytes give the same record.

    Only for records that come out of the codec as they went in. What another process appended is never found here.
    For one thread.
    """

    def __init__(self, max_kept: int = MAX_KEPT) -> None:
        self._max_kept = max_kept
        self._records: dict[bytes, T] = {}

    def keep(self, value: bytes, record: T) -> None:
        """Remember what `value` says, unless it is large; the oldest is forgotten for it if there is no room."""
        if len(value) > MAX_KEPT_BYTES:
            return
        if len(self._records) >= self._max_kept:
            del self._records[next(iter(self._records))]
        self._records[value] = record

    def take(self, value: bytes) -> T | None:
        """What was kept for these bytes, once; None if nothing was."""
        return self._records.pop(value, None)
