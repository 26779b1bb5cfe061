"""One load on a running pipeline, and everything that is measured of it."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from benchmarks.arithmetic import latency_ms, rate_of_all, steady_rate
from benchmarks.load import OutcomeWatch, intent_records, publish, read_all
from benchmarks.pipeline import MEASURED_TOPICS, Pipeline
from benchmarks.usage import cpu_of, cpu_s, log_bytes, memory_of
from enact.kafka.client import KafkaWriter
from enact.kafka.transport import NextOffset, TopicPartition
from enact.records import ActionOutcome, Status
from enact.records.codec import decode

API_PATIENCE_S: Final = 60.0
DRIVER: Final = "driver"
TAKEN: Final = "enact_records_total"
Metrics = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How much to publish and how fast. `rate` None: all at once. `delay_ms`: the tool's own time."""

    name: str
    count: int
    rate: float | None = None
    delay_ms: float = 0.0
    timeout_s: float = 180.0


@dataclass(slots=True, kw_only=True)
class Measured:
    """What one load showed. CPU in microseconds per execution, memory in megabytes (10⁶), latencies in milliseconds, sizes in bytes.

    `executions_per_s`: from the first publication to the last outcome, as the bare loop counts. `steady_per_s`: without
    the first and the last tenth. `latency` by this process's clock; `latency_broker` by the broker's (LogAppendTime).
    `stages`: how each stage worked, from its own metrics (`batching`).
    """

    load: str
    count: int
    rate: float | None
    delay_ms: float
    executions_per_s: float = 0.0
    steady_per_s: float | None = None
    latency: dict[str, float] = field(default_factory=dict)
    latency_broker: dict[str, float] = field(default_factory=dict)
    cpu_us: dict[str, float] = field(default_factory=dict)
    memory: dict[str, dict[str, float]] = field(default_factory=dict)
    bytes_per_execution: dict[str, float] = field(default_factory=dict)
    records_per_execution: dict[str, float] = field(default_factory=dict)
    api_behind_s: float | None = None
    stages: dict[str, dict[str, float]] = field(default_factory=dict)
    tool: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def measure(pipeline: Pipeline, load: Load, *, tag: str, driver_pid: int, tell: Callable[[str], None]) -> Measured:
    """Publish, wait for every outcome, wait for the api, add up.

    Raises: RuntimeError if an outcome is missing or is no success, if the tool saw a call twice, or if a stage ended.
    """
    pipeline.tool.set_delay(load.delay_ms)
    records = intent_records(load.count, tag, topic=pipeline.topic("intents.approved"), partitions=pipeline.partitions)
    writer, watch = KafkaWriter(pipeline.kafka), OutcomeWatch(pipeline.kafka, pipeline.topic("outcomes"))
    before, bytes_before, metrics_before = pipeline.ends(), _bytes(pipeline), pipeline.metrics()
    pids = {**pipeline.pids(), DRIVER: driver_pid}
    watch.start(list(records))
    cpu_before = cpu_of(pids)
    try:
        sent = publish(writer, records, rate=load.rate)
        is_done = watch.wait(load.timeout_s, lambda done: tell(f"{load.name}: {done} of {load.count}"))
    finally:
        writer.close()
    cpu_after, memory = cpu_of(pids), memory_of(pids)
    if not is_done:
        raise RuntimeError(f"{load.name}: {len(watch.ends.arrived_s)} of {load.count} ended within {load.timeout_s:g} s")
    behind_s = _wait_for_api(pipeline, before, metrics_before)
    if "api" in pids:  # it may lag behind: all of its work counts, and nobody's waiting for it
        cpu_after["api"] = cpu_s(pids["api"])
    cpu = {name: spent - cpu_before[name] for name, spent in cpu_after.items()}
    pipeline.require_unharmed()
    ends_s = list(watch.ends.arrived_s.values())
    measured = Measured(load=load.name, count=load.count, rate=load.rate, delay_ms=load.delay_ms)
    measured.executions_per_s = round(rate_of_all(min(sent.values()), ends_s), 1)
    steady = steady_rate(ends_s)
    measured.steady_per_s = None if steady is None else round(steady, 1)
    measured.latency = latency_ms(sent, watch.ends.arrived_s)
    measured.latency_broker = latency_ms(_published_s(pipeline, before, sent), watch.ends.appended_s)
    measured.cpu_us = {name: round(seconds * 1e6 / load.count, 1) for name, seconds in cpu.items()}
    measured.cpu_us["all"] = round(sum(cpu.values()) * 1e6 / load.count, 1)
    measured.memory, measured.api_behind_s = memory, behind_s
    after, bytes_after = pipeline.ends(), _bytes(pipeline)
    measured.records_per_execution = {
        short: round(sum(after[tp] - before[tp] for tp in pipeline.topic_partitions(short)) / load.count, 3) for short in MEASURED_TOPICS
    }
    measured.bytes_per_execution = {short: round((bytes_after[short] - bytes_before[short]) / load.count, 1) for short in MEASURED_TOPICS}
    measured.bytes_per_execution["all"] = round(sum(measured.bytes_per_execution.values()), 1)
    measured.stages = batching(metrics_before, pipeline.metrics(), load.count)
    measured.tool = pipeline.tool.stats()
    require_success(measured, watch.ends.values)
    return measured


def idle_cpu(pids: dict[str, int], seconds: float) -> dict[str, float]:
    """Share of one core that each process takes while nothing happens; `all` is their sum."""
    before, started = cpu_of(pids), time.perf_counter()
    time.sleep(seconds)
    took = time.perf_counter() - started
    found = {name: round((spent - before[name]) / took, 4) for name, spent in cpu_of(pids).items()}
    return found | {"all": round(sum(found.values()), 4)}


def require_success(measured: Measured, values: list[bytes]) -> None:
    """Raises: RuntimeError unless every execution succeeded, with exactly one call."""
    statuses = Counter(decode(ActionOutcome, value).status for value in values)
    if statuses != {Status.SUCCEEDED: measured.count}:
        shown = ", ".join(f"{number} {status}" for status, number in statuses.items())
        raise RuntimeError(f"{measured.load}: not every execution succeeded: {shown}")
    if measured.tool["calls"] != measured.count or measured.tool["duplicates"]:
        raise RuntimeError(f"{measured.load}: {measured.count} executions made {measured.tool} calls")


def batching(before: Metrics, after: Metrics, executions: int) -> dict[str, dict[str, float]]:
    """By stage: batches and records per execution, records per batch, mean times of a flush and of a read-back in milliseconds."""
    found: dict[str, dict[str, float]] = {}
    for stage, series in after.items():

        def grown(name: str, *, _stage: str = stage, _series: Mapping[str, float] = series) -> float:
            return _series.get(f"enact_{name}", 0.0) - before.get(_stage, {}).get(f"enact_{name}", 0.0)

        batches, flushes, reads = grown("batch_records_count"), grown("flush_seconds_count"), grown("read_back_seconds_count")
        numbers = {
            "batches_per_execution": batches / executions,
            "records_per_execution": grown("batch_records_sum") / executions,
            "records_per_batch": grown("batch_records_sum") / batches if batches else 0.0,
            "flush_ms": 1000 * grown("flush_seconds_sum") / flushes if flushes else 0.0,
            "read_back_ms": 1000 * grown("read_back_seconds_sum") / reads if reads else 0.0,
        }
        found[stage] = {name: round(value, 3) for name, value in numbers.items() if value}
    return found


def _wait_for_api(pipeline: Pipeline, before: dict[TopicPartition, NextOffset], metrics: Metrics) -> float | None:
    """Seconds after the last outcome until the api had taken every ledger entry; None without an api."""
    if "api" not in metrics:
        return None
    started = time.monotonic()
    while time.monotonic() - started < API_PATIENCE_S:
        now = pipeline.ends()
        wanted = sum(now[tp] - before[tp] for tp in pipeline.topic_partitions("ledger"))
        if pipeline.metrics()["api"][TAKEN] - metrics["api"][TAKEN] >= wanted:
            return round(time.monotonic() - started, 2)
        time.sleep(0.2)
    raise RuntimeError(f"the api is still behind the ledger after {API_PATIENCE_S:g} s")


def _published_s(pipeline: Pipeline, before: dict[TopicPartition, NextOffset], sent: dict[str, float]) -> dict[str, float]:
    starts = {tp: before[tp] for tp in pipeline.topic_partitions("intents.approved")}
    found = read_all(pipeline.kafka, starts)
    at = {record.key.decode(): record.timestamp_ms / 1000 for record in found if record.key is not None}
    return {key: at[key] for key in sent}


def _bytes(pipeline: Pipeline) -> dict[str, int]:
    log_dir = pipeline.broker.storage.log_dir
    return {short: log_bytes(log_dir, pipeline.topic(short)) for short in MEASURED_TOPICS}
