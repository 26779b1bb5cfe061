"""The broker's compiler at work before anything is measured: small appends and reads until they stop becoming cheaper.

A fresh JVM takes eight times the CPU for a request that it takes after some ten thousand of them (measured: 7.7 ms of broker per
execution at first, 0.95 ms later), and who runs first would pay for all who run later.
"""

import time
from collections.abc import Callable, Sequence
from typing import Final

from benchmarks.usage import cpu_s
from enact.broker.embedded import EmbeddedBroker
from enact.kafka.admin import KafkaAdmin, NewTopicShape
from enact.kafka.client import KafkaWriter
from enact.kafka.log_reader import LogReader
from enact.kafka.transport import NextOffset, OutRecord, TopicPartition
from enact.settings import KafkaSettings

TOPIC: Final = "bench-warm"
PARTITIONS: Final = 4
RECORDS: Final = 8
VALUE: Final = b"\xc3\x01" + bytes(range(200)) * 4
STEP_S: Final = 1.0
STILL_FALLING: Final = 0.93
"""A second counts as cheaper if a request took less than this share of what the cheapest second before it took."""
STEADY_STEPS: Final = 4


def warm_broker(broker: EmbeddedBroker, *, least_s: float, most_s: float, tell: Callable[[str], None]) -> float:
    """Append and read for `least_s` and on until it is steady (`is_steady`), `most_s` at most; returns the seconds it took."""
    if most_s <= 0 or broker.pid is None:
        return 0.0
    kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
    KafkaAdmin(kafka).create_topic(NewTopicShape(name=TOPIC, partition_count=PARTITIONS))
    writer, reader = KafkaWriter(kafka), LogReader(kafka)
    reader.assign({TopicPartition(TOPIC, number): NextOffset(0) for number in range(PARTITIONS)})
    started, costs = time.monotonic(), [float("inf")]
    try:
        while (took := time.monotonic() - started) < most_s and not (took >= least_s and is_steady(costs)):
            costs.append(_cost_of_a_step(broker.pid, writer, reader))
    finally:
        writer.close()
        reader.close()
    tell(f"warmed the broker for {took:.0f} s: {1e6 * costs[1]:.0f} µs of CPU for an append and a read at first, {1e6 * costs[-1]:.0f} now")
    return took


def is_steady(costs: Sequence[float]) -> bool:
    """Whether the last steps brought nothing any more."""
    if len(costs) <= STEADY_STEPS:
        return False
    return min(costs[-STEADY_STEPS:]) >= STILL_FALLING * min(costs[:-STEADY_STEPS])


def _cost_of_a_step(pid: int, writer: KafkaWriter, reader: LogReader) -> float:
    """CPU seconds of the broker for one append of some records and the reading of them, over one second of nothing else."""
    before, ends, appends = cpu_s(pid), time.monotonic() + STEP_S, 0
    while time.monotonic() < ends:
        for number in range(PARTITIONS * RECORDS):
            writer.send(OutRecord(TOPIC, number % PARTITIONS, b"warm", VALUE))
        writer.flush(30.0)
        reader.take(PARTITIONS * RECORDS, 0.05)
        appends += 1
    return (cpu_s(pid) - before) / appends
