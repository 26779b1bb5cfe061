"""Intents as an upstream publishes them, at a rate or all at once, and a watch on the outcomes: client clocks and the broker's."""

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from enact.ids import parts_of
from enact.kafka.client import KafkaWriter
from enact.kafka.log_reader import LogReader
from enact.kafka.transport import InRecord, NextOffset, OutRecord, TopicPartition
from enact.publishing import WireFormat, intent_record
from enact.records import Approval, ApprovalSource, ApprovedIntent, Target
from enact.settings import KafkaSettings

TENANTS: Final = tuple(f"tenant-{number:03d}" for number in range(64))
_MAX_RECORDS: Final = 2_000
_REASON: Final = "The customer returned the goods within the cooling-off period; call back, confirm the refund, and note the new address."


def intent(number: int, tag: str, now_s: int) -> ApprovedIntent:
    """About 600 bytes, as an approved intent is; every tenant in turn."""
    tenant = TENANTS[number % len(TENANTS)]
    parameters = {"subject": f"Refund of order-{number % 5000:06d}", "description": _REASON, "priority": "High"}
    return ApprovedIntent(
        action_intent_id=f"{tag}-{number:08d}",
        tenant_id=tenant,
        account_id=f"account-{number % 500:04d}",
        action_type="CREATE_CRM_TASK",
        target=Target(entity_type="Account", entity_id="001TB000000001A"),
        parameters=json.dumps(parameters),
        expires_at_epoch=now_s + 7200,
        status="APPROVED",
        approval=Approval(
            source=ApprovalSource.HUMAN,
            approved_by=f"alice@{tenant}.example",
            approved_at=now_s,
            decision_id=f"dec-{number:08d}",
            proposal_id=f"prop-{number:08d}",
        ),
        decision_trace_id=f"trace-{number:08d}",
    )


def intent_records(count: int, tag: str, *, topic: str, partitions: int) -> dict[str, OutRecord]:
    """Id to record, written before anything is measured: the publisher's own encoding is nobody's latency."""
    now_s = int(time.time())
    made = (intent(number, tag, now_s) for number in range(count))
    return {
        one.action_intent_id: intent_record(
            one, topic=topic, partition_count=partitions, source="bench", now_ms=now_s * 1000, wire_format=WireFormat.AVRO
        )
        for one in made
    }


def publish(writer: KafkaWriter, records: Mapping[str, OutRecord], *, rate: float | None) -> dict[str, float]:
    """Publish all at once, or open loop: `rate` a second whatever becomes of them. Returns id to wall clock when handed over."""
    sent: dict[str, float] = {}
    started = time.perf_counter()
    for number, (key, record) in enumerate(records.items()):
        if rate is not None and (wait := started + number / rate - time.perf_counter()) > 0:
            time.sleep(wait)
        sent[key] = time.time()
        writer.send(record)
        if number % 64 == 0 or rate is not None:
            writer.poll()
    writer.flush(120.0)
    return sent


@dataclass(slots=True)
class Ends:
    """What the outcomes topic showed: id to wall clock on arrival, to broker time, and the values as they were read."""

    arrived_s: dict[str, float] = field(default_factory=dict)
    appended_s: dict[str, float] = field(default_factory=dict)
    values: list[bytes] = field(default_factory=list)


class OutcomeWatch:
    """Reads outcomes as they come, on a thread of its own, from the topic's present end until all expected ids have one."""

    def __init__(self, kafka: KafkaSettings, topic: str) -> None:
        self._reader = LogReader(kafka)
        partitions = [TopicPartition(topic, number) for number in range(self._reader.partition_count(topic))]
        self._reader.assign({tp: NextOffset(end) for tp, end in self._reader.end_offsets(partitions).items()})
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.ends = Ends()

    def start(self, expected: Sequence[str]) -> None:
        self._reader.take(1, 0.5)  # the reader has its place before the first record comes
        self._thread = threading.Thread(target=self._run, args=(set(expected),), name="outcome-watch", daemon=True)
        self._thread.start()

    def wait(self, timeout_s: float, tell: Callable[[int], None] = lambda _: None) -> bool:
        """Whether every expected id has an outcome in time; `tell` hears every second how many have."""
        assert self._thread is not None
        deadline_s = time.monotonic() + timeout_s
        while self._thread.is_alive() and time.monotonic() < deadline_s:
            self._thread.join(1.0)
            tell(len(self.ends.arrived_s))
        is_done = not self._thread.is_alive()
        self.close()
        return is_done

    def close(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(10.0)
        self._reader.close()

    def _run(self, left: set[str]) -> None:
        while left and not self._stop.is_set():
            batch = self._reader.take(_MAX_RECORDS, 0.2)
            now_s = time.time()
            for record in batch.records:
                self._note(record, now_s, left)

    def _note(self, record: InRecord, now_s: float, left: set[str]) -> None:
        if record.key is None or record.value is None:
            return
        key = parts_of(record.key)[-1]
        if key in left:
            left.discard(key)
            self.ends.arrived_s[key] = now_s
            self.ends.appended_s[key] = record.timestamp_ms / 1000
            self.ends.values.append(record.value)


def read_all(kafka: KafkaSettings, starts: Mapping[TopicPartition, NextOffset]) -> list[InRecord]:
    """Every record from these offsets to the ends that their partitions have now."""
    reader = LogReader(kafka)
    try:
        ends = reader.end_offsets(list(starts))
        left = {tp for tp, start in starts.items() if ends[tp] > start}
        reader.assign({tp: starts[tp] for tp in left})
        found: list[InRecord] = []
        while left:
            batch = reader.take(_MAX_RECORDS, 0.5)
            found += batch.records
            left -= {
                TopicPartition(r.topic, r.partition) for r in batch.records if r.offset + 1 >= ends[TopicPartition(r.topic, r.partition)]
            }
            left -= {tp for tp, met in batch.ends.items() if met >= ends[tp]}
        return found
    finally:
        reader.close()
