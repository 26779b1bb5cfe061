"""How long the partitions of a killed invocation process stand still: `kill -9` of one of two, under steady traffic, again and again.

    python -m benchmarks.take_over --rounds 5 --rate 100

Recovered is when the outcomes of the killed process' partitions, counted over the second before, come at 90 % of their rate before the
kill. The bound is the group's session (6 s on enact's own brokers) and two seconds. Times are the broker's, of the outcomes' appends.
"""

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from benchmarks.instant_crm import InstantCrm
from benchmarks.load import TENANTS, intent, read_all
from benchmarks.machine import provenance
from benchmarks.program import interrupt, tell
from benchmarks.stops import Traffic
from cli.platform import Platform
from cli.platform_options import PlatformOptions
from cli.processes import is_ready
from cli.supervisor import on_stop_signals
from enact.broker.embedded import EmbeddedBroker
from enact.broker.java import BENCHMARK
from enact.kafka.client import KafkaWriter
from enact.kafka.transport import NextOffset, OutRecord, TopicPartition
from enact.publishing import WireFormat, intent_record
from enact.records import ApprovedIntent
from enact.settings import KernelSettings, forget_environment, load
from topology.stages import RUNNING_STAGES

SESSION_S: Final = 6.0
BOUND_S: Final = SESSION_S + 2.0
SHARE: Final = 0.9
WINDOW_MS: Final = 1_000
BEFORE_MS: Final = 8_000
SILENT_MS: Final = (1_000, 4_000)
"""A partition without an outcome in this time after the kill was the killed one's: its session is not over by then."""

WATCH_S: Final = 20.0
SETTLE_S: Final = 12.0
READY_S: Final = 90.0


def silent_partitions(outcomes_ms: Mapping[int, Sequence[int]], killed_ms: int) -> list[int]:
    """Partitions in which nothing ended soon after the kill."""
    first_ms, last_ms = killed_ms + SILENT_MS[0], killed_ms + SILENT_MS[1]
    return [number for number, times in outcomes_ms.items() if not any(first_ms <= at_ms < last_ms for at_ms in times)]


def recovered_ms(outcomes_ms: Sequence[int], killed_ms: int, *, share: float = SHARE) -> int | None:
    """Milliseconds after the kill at which the last second brought `share` of the rate before it; None = never.

    Raises: ValueError if nothing ended before the kill.
    """
    before = sum(killed_ms - BEFORE_MS <= at_ms < killed_ms for at_ms in outcomes_ms)
    if not before:
        raise ValueError("nothing ended before the kill: there is no rate to compare with")
    wanted = share * before * WINDOW_MS / BEFORE_MS
    after = sorted(at_ms for at_ms in outcomes_ms if at_ms >= killed_ms)
    for end_ms in after:
        if end_ms - WINDOW_MS >= killed_ms and sum(end_ms - WINDOW_MS < at_ms <= end_ms for at_ms in after) >= wanted:
            return end_ms - killed_ms
    return None


def measure_take_over(platform: Platform, *, rounds: int, rate: float) -> list[dict[str, Any]]:
    """Kill one of the two in turn. Raises: RuntimeError if nothing came back, or a victim owned nothing."""
    writer = KafkaWriter(platform.kafka)
    traffic = Traffic(writer, rate, lambda number: _made(platform, number))
    traffic.start()
    found = []
    try:
        for number in range(rounds):
            _wait_ready(platform)
            time.sleep(SETTLE_S)
            found.append(_one(platform, f"invocation.{number % 2}"))
            tell(json.dumps(found[-1]))
    finally:
        traffic.stop()
        writer.close()
    return found


def _one(platform: Platform, victim: str) -> dict[str, Any]:
    assert platform.supervisor is not None
    pid = next(child.pid for child in platform.supervisor.children if child.name == victim)
    if pid is None:
        raise RuntimeError(f"{victim} does not run")
    killed_ms = int(time.time() * 1000)
    os.kill(pid, signal.SIGKILL)
    time.sleep(WATCH_S)
    times = _outcome_times(platform)
    silent = silent_partitions(times, killed_ms)
    if not silent:
        raise RuntimeError(f"{victim} owned no partition: nothing stood still")
    took_ms = recovered_ms([at_ms for number in silent for at_ms in times[number]], killed_ms)
    first_ms = min((at_ms for number in silent for at_ms in times[number] if at_ms >= killed_ms + SILENT_MS[0]), default=None)
    return {
        "killed": victim,
        "partitions": silent,
        "first_outcome_s": None if first_ms is None else round((first_ms - killed_ms) / 1000, 2),
        "recovered_s": None if took_ms is None else round(took_ms / 1000, 2),
    }


def _outcome_times(platform: Platform) -> dict[int, list[int]]:
    topic = platform.topic("outcomes")
    starts = {TopicPartition(topic, number): NextOffset(0) for number in range(platform.options.partitions)}
    found: dict[int, list[int]] = {partition.partition: [] for partition in starts}
    for record in read_all(platform.kafka, starts):
        found[record.partition].append(record.timestamp_ms)
    return found


def _made(platform: Platform, number: int) -> tuple[ApprovedIntent, OutRecord]:
    now_s = int(time.time())
    made = intent(number, "take-over", now_s)
    topic, partitions = platform.topic("intents.approved"), platform.options.partitions
    record = intent_record(made, topic=topic, partition_count=partitions, source="bench", now_ms=now_s * 1000, wire_format=WireFormat.AVRO)
    return made, record


def _wait_ready(platform: Platform) -> None:
    assert platform.supervisor is not None
    deadline_s = time.monotonic() + READY_S
    ports = [child.spec.health_port for child in platform.supervisor.children if child.spec.health_port is not None]
    while not all(is_ready(port) for port in ports):
        if time.monotonic() > deadline_s:
            raise RuntimeError(f"not everything became ready again within {READY_S:g} s")
        time.sleep(0.2)


@contextmanager
def _running(folder: Path, tool: InstantCrm, broker: EmbeddedBroker, partitions: int) -> Iterator[Platform]:
    """Every stage, invocation twice, supervised: who is killed is started again."""
    credentials = folder / "take-over" / "credentials"
    tool.write_credentials(credentials, TENANTS)
    environ = {
        "ENACT_DATA_DIR": str(folder / "take-over"),
        "ENACT_TOPIC_PREFIX": "take-over",
        "ENACT_KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap_servers,
        "ENACT_CREDENTIALS_DIR": str(credentials),
        "ENACT_OUTBOUND__ALLOW": tool.address,
    }
    options = PlatformOptions(
        has_free_ports=True,
        has_api=False,
        partitions=partitions,
        replication_factor=1,
        instances={"invocation": 2},
        stages=RUNNING_STAGES,
        environ={"ENACT_TOPIC_PREFIX": "take-over", "ENACT_OUTBOUND__ALLOW": tool.address},
    )
    platform = Platform(load(KernelSettings, environ), options)
    platform.start()
    tending = threading.Thread(target=platform.run, name="tend", daemon=True)
    tending.start()
    try:
        yield platform
    finally:
        if platform.supervisor is not None:
            platform.supervisor.request_stop()
        tending.join()
        platform.stop()


def main() -> int:
    """Measure, print, leave nothing behind. Exit 1 if a round missed the bound."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.take_over", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rate", type=float, default=100.0, help="intents a second")
    parser.add_argument("--partitions", type=int, default=4)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="enact-bench-"))
    forget_environment()
    broker = EmbeddedBroker(folder, port=0, controller_port=0, java=BENCHMARK)
    try:
        with on_stop_signals(interrupt):
            broker.start()
            broker.wait_ready()
            with InstantCrm() as tool, _running(folder, tool, broker, options.partitions) as platform:
                found = measure_take_over(platform, rounds=options.rounds, rate=options.rate)
    except KeyboardInterrupt:
        return 130
    finally:
        broker.stop()
        shutil.rmtree(folder, ignore_errors=True)
    is_kept = all(one["recovered_s"] is not None and one["recovered_s"] <= BOUND_S for one in found)
    tell(json.dumps({**provenance(), "rate": options.rate, "bound_s": BOUND_S, "is_kept": is_kept, "rounds": found}, indent=1))
    return 0 if is_kept else 1


if __name__ == "__main__":
    sys.exit(main())
