"""Due times on disk: what to do next, in time order, for any number of waiting things at no cost while they wait.

Entries live in the partition's state and change in the same write batch as what they come from. Within a
kind they are ordered by group, then due time: groups take turns, and a group with a million entries costs
the others nothing. What a look at the disk found is remembered as a floor, the earliest time that can be due, so
that looking again before it costs nothing either.
"""

from collections.abc import Iterator
from typing import NamedTuple

from enact.kafka.state import PartitionState

_PREFIX = b"d"
_END = b"\x00"
_ANY = "\x00"
_NEVER = 1 << 63
_MAX_FLOORS = 10_000


class DueEntry(NamedTuple):
    """`kind` is one byte, not zero; `group` and `key` are the owner's, `group` without zero bytes; `due_ms` is epoch milliseconds."""

    kind: bytes
    group: str
    due_ms: int
    key: bytes


class DueIndex:
    """The index of one partition."""

    def __init__(self, state: PartitionState) -> None:
        self._state = state
        self._floors: dict[tuple[bytes, str], int] = {}

    def replace(self, before: frozenset[DueEntry], after: frozenset[DueEntry]) -> None:
        """Entries of one thing change; part of the batch."""
        for entry in before - after:
            self._state.delete(_encode(entry))
        for entry in after - before:
            self._state.put(_encode(entry), b"")
            for place in ((entry.kind, entry.group), (entry.kind, _ANY)):
                if entry.due_ms < self._floors.get(place, 0):
                    self._floors[place] = entry.due_ms

    def due(self, kind: bytes, now_ms: int, group: str = "") -> Iterator[DueEntry]:
        """Persisted entries of a kind and group that are due, earliest first."""
        place = (kind, group)
        floor_ms = self._floors.get(place, 0)
        if now_ms < floor_ms:
            return
        prefix, is_first = _PREFIX + kind + group.encode() + _END, True
        # From the floor on: what was taken from here lies before it as tombstones, which the disk would walk over again and again.
        for raw in self._state.persisted_keys(prefix, prefix + max(0, floor_ms).to_bytes(8, "big")):
            entry = _decode(raw)
            if is_first:
                self._raise_floor(place, entry.due_ms)
                is_first = False
            if entry.due_ms > now_ms:
                return
            yield entry
        if is_first:
            self._raise_floor(place, _NEVER)

    def _raise_floor(self, place: tuple[bytes, str], due_ms: int) -> None:
        """Nothing of this place is due before: true for what is persisted, so only while nothing waits to be."""
        if self._state.is_clean:
            if len(self._floors) >= _MAX_FLOORS:
                self._floors.clear()
            self._floors[place] = due_ms

    def groups(self, kind: bytes, after: str = "", limit: int = 64) -> list[str]:
        """Groups of a kind that have entries, due or not, in order from beyond `after`."""
        if self._floors.get((kind, _ANY)) == _NEVER:
            return []
        prefix = _PREFIX + kind
        found: list[str] = []
        start = prefix + after.encode() + b"\x01" if after else prefix
        while len(found) < limit:
            raw = next(self._state.persisted_keys(prefix, start), None)
            if raw is None:
                break
            group = _decode(raw).group
            found.append(group)
            start = prefix + group.encode() + b"\x01"
        if not found and not after:
            self._raise_floor((kind, _ANY), _NEVER)
        return found

    def entries(self, kind: bytes) -> Iterator[DueEntry]:
        """Every persisted entry of a kind."""
        return (_decode(raw) for raw in self._state.persisted_keys(_PREFIX + kind))


def _encode(entry: DueEntry) -> bytes:
    return _PREFIX + entry.kind + entry.group.encode() + _END + max(0, entry.due_ms).to_bytes(8, "big") + entry.key


def _decode(raw: bytes) -> DueEntry:
    end = raw.index(_END)
    return DueEntry(raw[1:2], raw[2:end].decode(), int.from_bytes(raw[end + 1 : end + 9], "big"), raw[end + 9 :])
