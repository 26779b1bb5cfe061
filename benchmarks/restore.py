"""How long invocation needs to be ready over a log of ended executions: from an empty folder, and with its local state.

    python -m benchmarks.restore --n 100000

A few hundred executions really run; their events are copied under new ids until the log holds `n` executions, all of them ended
and emitted (the group's committed offset is the log's end). Then the one stage is started twice.
"""

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from benchmarks.event_copies import copies, originals
from benchmarks.instant_crm import InstantCrm
from benchmarks.load import read_all
from benchmarks.machine import provenance
from benchmarks.measure import Load, measure
from benchmarks.pipeline import CLASS_P, Pipeline, scraped
from benchmarks.profiled import profile_report, profiled_environment
from benchmarks.program import interrupt, tell
from benchmarks.usage import cpu_s, folder_bytes, memory_mb
from cli.processes import ProcessSpec, is_ready, launch, log_tail, stage_specs
from cli.supervisor import on_stop_signals
from cli.topology_apply import topology_apply
from enact.broker.embedded import EmbeddedBroker
from enact.broker.java import BENCHMARK
from enact.kafka.admin import KafkaAdmin
from enact.kafka.client import KafkaWriter
from enact.kafka.transport import NextOffset, TopicPartition
from enact.settings import KafkaSettings, forget_environment
from topology.spec import Sizing
from topology.stages import group_name
from topology.topics import topic_name

PREFIX: Final = "bench-restore"
SAMPLE: Final = 400
READY_S: Final = 600.0
STOP_S: Final = 60.0
FLUSH_EVERY: Final = 20_000

Tell = Callable[[str], None]


def measure_restore(
    broker: EmbeddedBroker, tool: InstantCrm, folder: Path, *, count: int, partitions: int, tell: Tell, profiles: Path | None = None
) -> dict[str, Any]:
    """Fill, start, stop, start again; the first start under the profiler if it has a folder for it. Raises: RuntimeError, EnactError."""
    column = replace(CLASS_P, name="sample")
    with Pipeline(column, broker=broker, tool=tool, folder=folder, partitions=partitions, tell=tell) as pipeline:
        kafka = pipeline.kafka
        measure(pipeline, Load(name="sample", count=min(SAMPLE, count)), tag="sample", driver_pid=os.getpid(), tell=tell)
        sample = originals(read_all(kafka, {tp: NextOffset(0) for tp in pipeline.topic_partitions("executions")}))
    topology_apply(KafkaAdmin(kafka), Sizing(prefix=PREFIX, partition_count=partitions, replication_factor=1))
    topic = topic_name("executions", PREFIX)
    started = time.monotonic()
    writer = KafkaWriter(kafka)
    events = 0
    for events, record in enumerate(copies(sample, count, topic=topic, partitions=partitions), start=1):
        writer.send(record)
        if events % FLUSH_EVERY == 0:
            writer.flush(120.0)
            tell(f"filled {events} events, {events / (time.monotonic() - started):.0f} a second")
    writer.flush(120.0)
    writer.close()
    _commit_ends(kafka, topic, partitions)
    data_dir = folder / "restored"
    tell(f"{count} executions, {events} events; starting invocation with an empty folder")
    empty = _start_once(kafka, data_dir, {} if profiles is None else profiled_environment("invocation", profiles))
    tell(f"ready after {empty['ready_s']} s; starting it again with its local state")
    again = _start_once(kafka, data_dir, {})
    return {
        "executions": count,
        "events": events,
        "empty_folder_s": empty["ready_s"],
        "events_per_s": round(events / empty["ready_s"]),
        "local_state_s": again["ready_s"],
        "state_bytes": empty["state_bytes"],
        "state_bytes_per_execution": round(empty["state_bytes"] / count, 1),
        "rounds": {"empty_folder": empty, "local_state": again},
    }


def _commit_ends(kafka: KafkaSettings, topic: str, partitions: int) -> None:
    """Everything in the log has been emitted: that is what a committed offset of the log says."""
    admin = KafkaAdmin(kafka)
    ends = admin.end_offsets([TopicPartition(topic, number) for number in range(partitions)])
    admin.set_group_offsets(group_name("invocation", PREFIX), ends, is_overwriting=True)


def _start_once(kafka: KafkaSettings, data_dir: Path, added: Mapping[str, str]) -> dict[str, Any]:
    """Seconds from starting the process until `/readyz` says 200, what it took by then, and the state on disk once it has stopped."""
    environ = {
        "ENACT_DATA_DIR": str(data_dir),
        "ENACT_TOPIC_PREFIX": PREFIX,
        "ENACT_KAFKA__BOOTSTRAP_SERVERS": kafka.require_bootstrap_servers(),
        **added,
    }
    (spec,) = stage_specs(("invocation",), environ=environ, with_free_ports=True)
    log_path = data_dir / "logs" / "invocation.log"
    ours, theirs = os.pipe()
    started = time.monotonic()
    process = launch(spec, log_path, ours)
    try:
        ready_s = _wait_ready(spec, process.poll, started, log_path)
        memory, cpu = memory_mb(process.pid), cpu_s(process.pid)
        series = scraped(spec.health_port or 0)
        if series.get("enact_restore_remaining_records", 0.0) or series.get("enact_partitions_quarantined", 0.0):
            raise RuntimeError(f"invocation says that it is ready and is not: {series}; see {log_path}")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_S)
        os.close(ours)
        os.close(theirs)
    state_bytes = folder_bytes(data_dir / "stages")
    return {"ready_s": ready_s, "cpu_s": round(cpu, 2), "memory": memory, "state_bytes": state_bytes}


def _wait_ready(spec: ProcessSpec, poll: Callable[[], int | None], started: float, log_path: Path) -> float:
    while time.monotonic() - started < READY_S:
        if poll() is not None:
            raise RuntimeError(f"invocation ended while it restored:\n{log_tail(log_path)}")
        if spec.health_port is not None and is_ready(spec.health_port):
            return round(time.monotonic() - started, 2)
        time.sleep(0.05)
    raise RuntimeError(f"invocation was not ready after {READY_S:g} s:\n{log_tail(log_path)}")


def main() -> int:
    """The restore by itself, on a broker of its own."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.restore", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n", type=int, default=100_000, help="ended executions in the log")
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--profile", action="store_true", help="show the busiest functions of the start with an empty folder")
    parser.add_argument("--out", type=Path, help="write the figures here, as JSON")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="enact-bench-"))
    forget_environment()
    broker = EmbeddedBroker(folder, port=0, controller_port=0, java=BENCHMARK)
    try:
        with on_stop_signals(interrupt):
            broker.start()
            broker.wait_ready()
            with InstantCrm() as tool:
                profiles = folder / "profiles" if options.profile else None
                found = measure_restore(broker, tool, folder, count=options.n, partitions=options.partitions, tell=tell, profiles=profiles)
                if profiles is not None:
                    tell(profile_report(profiles, lines=30))
    except KeyboardInterrupt:
        return 130
    finally:
        broker.stop()
        shutil.rmtree(folder, ignore_errors=True)
    text = json.dumps({**provenance(), "partitions": options.partitions, "restore": found}, indent=1, ensure_ascii=False)
    tell(text)
    if options.out is not None:
        options.out.write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
