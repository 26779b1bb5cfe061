"""Copies of ended executions: other ids, everything else as it was, and still readable."""

from typing import Any

import pytest
from msgspec.structs import replace

from benchmarks.event_copies import copies, originals, renamed, unique
from enact.ids import key_of, parts_of
from enact.kafka.partitioner import partition_of
from enact.kafka.transport import InRecord, Offset
from enact.records import Claimed, Effect, ExecutionEvent, Fact
from enact.records.codec import decode, encode
from tests.unit.enact.event_factories import a_claim, a_fact, a_tool_call, an_event

TOPIC, PARTITIONS = "bench.executions.v1", 4
NONCE = "0123456789abcdef0123456789abcdef"


def log_of(*names: str) -> list[InRecord]:
    """Claim and fact of each execution, as invocation writes them: ids of its own length, events interleaved."""
    events: list[ExecutionEvent] = []
    for place, name in enumerate(names):
        nonce = NONCE[place:] + NONCE[:place]
        call = a_tool_call(action_intent_id=name)
        changes: dict[str, Any] = {"action_intent_id": name, "tenant_id": "tenant-1"}
        events.append(replace(an_event(a_claim(nonce=nonce), subject=call, event_id=f"{place}1".rjust(32, "a")), **changes))
        events.append(replace(an_event(a_fact(Effect.APPLIED, nonce), event_id=f"{place}2".rjust(32, "a")), **changes))
    events.sort(key=lambda event: isinstance(event.data, Fact))
    return [
        InRecord(TOPIC, 0, Offset(at), 1000 + at, key_of(event.tenant_id, event.action_intent_id), encode(event))
        for at, event in enumerate(events)
    ]


def read(given: list[InRecord], count: int, *, wave: int = 200) -> list[tuple[int, bytes, ExecutionEvent]]:
    made = copies(originals(given), count, topic=TOPIC, partitions=PARTITIONS, wave=wave)
    return [(one.partition, one.key or b"", decode(ExecutionEvent, one.value or b"")) for one in made]


def test_every_copy_is_an_execution_of_its_own_with_its_events_in_order() -> None:
    found = read(log_of("sample-00000001", "sample-00000002"), 1000)

    ids = {event.action_intent_id for _, _, event in found}
    assert len(ids) == 1000
    assert len({event.event_id for _, _, event in found}) == 2000
    kinds: dict[str, list[type]] = {}
    nonces: dict[str, set[str]] = {}
    for _, _, event in found:
        assert isinstance(event.data, Claimed | Fact)
        kinds.setdefault(event.action_intent_id, []).append(type(event.data))
        nonces.setdefault(event.action_intent_id, set()).add(event.data.nonce)
    assert all(seen == [Claimed, Fact] for seen in kinds.values())
    assert all(len(one) == 1 for one in nonces.values())
    assert len(set.union(*nonces.values())) == 1000


def test_key_partition_and_subject_speak_of_the_new_id() -> None:
    for partition, key, event in read(log_of("sample-00000001"), 50):
        assert parts_of(key) == ("tenant-1", event.action_intent_id)
        assert partition == partition_of(event.action_intent_id, PARTITIONS)
        assert event.subject is None or event.subject.action_intent_id == event.action_intent_id


def test_everything_else_stays_as_the_real_run_wrote_it() -> None:
    given = log_of("sample-00000001")
    (_, _, claim), (_, _, fact) = read(given, 1)
    originally = [decode(ExecutionEvent, one.value or b"") for one in given]

    for copied, original in zip((claim, fact), originally, strict=True):
        assert replace(copied, action_intent_id="", event_id="", subject=None, data=original.data) == replace(
            original, action_intent_id="", event_id="", subject=None
        )


def test_executions_are_interleaved_as_in_a_busy_log() -> None:
    found = [type(event.data) for _, _, event in read(log_of("sample-00000001"), 6, wave=3)]

    assert found == [Claimed] * 3 + [Fact] * 3 + [Claimed] * 3 + [Fact] * 3


def test_a_number_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        renamed(b"b1-0001", 123_456)
    with pytest.raises(ValueError, match="does not fit"):
        unique(16**4, 4)
