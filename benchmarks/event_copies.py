"""Ended executions as the real invocation wrote them, copied under new ids as often as one likes, byte for byte otherwise.

An id is replaced by another of the same length, so that the Avro around it stays valid: about a microsecond each, where encoding
anew would take a hundred. Digests and trace ids keep the original's values; the fold compares them, it does not recompute them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from enact.ids import parts_of
from enact.kafka.partitioner import partition_of
from enact.kafka.transport import InRecord, OutRecord
from enact.records import Claimed, ExecutionEvent
from enact.records.codec import decode


@dataclass(frozen=True, slots=True)
class Original:
    """One ended execution's events in log order, and the ids in them that must be new in a copy."""

    action_intent_id: bytes
    event_ids: tuple[bytes, ...]
    nonces: tuple[bytes, ...]
    records: tuple[InRecord, ...]

    def copy(self, number: int, *, topic: str, partitions: int) -> list[OutRecord]:
        """The events of execution `number`; the same number gives the same bytes."""
        new_id = renamed(self.action_intent_id, number)
        swaps = [(self.action_intent_id, new_id)]
        for place, old in enumerate((*self.event_ids, *self.nonces)):
            swaps.append((old, unique(number * 64 + place, len(old))))
        partition = partition_of(new_id, partitions)
        return [
            OutRecord(topic, partition, swapped(one.key or b"", swaps[:1]), swapped(one.value or b"", swaps), one.headers)
            for one in self.records
        ]


def originals(records: Sequence[InRecord]) -> list[Original]:
    """The executions of a log, each with all of its events."""
    events: dict[bytes, list[tuple[InRecord, ExecutionEvent]]] = {}
    for record in records:
        if record.key is not None and record.value is not None:
            events.setdefault(record.key, []).append((record, decode(ExecutionEvent, record.value)))
    return [
        Original(
            action_intent_id=parts_of(key)[-1].encode(),
            event_ids=tuple(event.event_id.encode() for _, event in seen),
            nonces=tuple(event.data.nonce.encode() for _, event in seen if isinstance(event.data, Claimed)),
            records=tuple(record for record, _ in seen),
        )
        for key, seen in events.items()
    ]


def copies(given: Sequence[Original], count: int, *, topic: str, partitions: int, wave: int = 200) -> Iterator[OutRecord]:
    """`count` executions made of `given` in turn, interleaved as a busy log is: the first events of a wave, then the second, and so on."""
    for start in range(0, count, wave):
        made = [
            given[number % len(given)].copy(number, topic=topic, partitions=partitions) for number in range(start, min(start + wave, count))
        ]
        for place in range(max(map(len, made))):
            yield from (events[place] for events in made if place < len(events))


def renamed(action_intent_id: bytes, number: int) -> bytes:
    """An id of the same length: its first character, then the number. Raises: ValueError if the number does not fit."""
    digits = str(number).encode()
    room = len(action_intent_id) - 2
    if len(digits) > room:
        raise ValueError(f"{number} does not fit into an id of {len(action_intent_id)} characters")
    return b"z-" + digits.rjust(room, b"0")


def unique(number: int, length: int) -> bytes:
    """A hexadecimal word of this length that no other number has. Raises: ValueError if it does not fit."""
    word = f"{number:x}".encode()
    if len(word) > length:
        raise ValueError(f"{number} does not fit into {length} hexadecimal digits")
    return word.rjust(length, b"0")


def swapped(data: bytes, swaps: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Every old value replaced by its new one of the same length."""
    for old, new in swaps:
        data = data.replace(old, new)
    return data
