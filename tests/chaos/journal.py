"""What a run leaves behind for its checker: one folder of JSON lines, written as things happen, never rewritten.

| file | one line for each |
|---|---|
| `run.json` | the run itself: seed, commit, world mode, planned faults, bounds (an object, not lines) |
| `published.jsonl` | intent whose publication the broker acknowledged, with where it lies |
| `commands.jsonl` | command of an operator: engage, release, cancel, resolve, redrive |
| `faults.jsonl` | fault that was made, from when to when |
| `receipts.jsonl`, `applications.jsonl`, `objects.jsonl` | the practice world's own log of what it received, applied and holds |
| `topics/<short>.jsonl` | record of a topic as it lies there; key, value and header values in base64 |
| `topics/ends.json` | (not lines) first and end offset of every partition that was dumped |
| `processes.jsonl` | look at one process: memory, threads, descriptors |
| `groups.jsonl` | look at the lag of one partition of one consumer group |
| `failpoints.jsonl` | failpoint that was passed for the first time in a process's life, or acted |

All times are epoch milliseconds of this machine's wall clock (`*_ms`), which is the brokers' clock too.
"""

import json
import threading
import time
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from connectors.catalogue import registry_files
from enact.errors import EnactError
from enact.failpoint_rules import FOLDER, HITS_FILE
from enact.kafka.admin import KafkaAdmin
from enact.kafka.client import KafkaWriter
from enact.kafka.partitioner import partition_of
from enact.kafka.transport import OutRecord, TopicPartition
from enact.records import ApprovedIntent
from enact.records.codec import encode_json
from tests.chaos.processes import all_processes, look
from tests.e2e.world import STAGES_WITH_GROUPS, World
from topology.stages import STAGES, group_name
from topology.topics import TOPICS

RUN: Final = "run.json"
PUBLISHED: Final = "published.jsonl"
COMMANDS: Final = "commands.jsonl"
FAULTS: Final = "faults.jsonl"
RECEIPTS: Final = "receipts.jsonl"
APPLICATIONS: Final = "applications.jsonl"
OBJECTS: Final = "objects.jsonl"
PROCESSES: Final = "processes.jsonl"
GROUPS: Final = "groups.jsonl"
FAILPOINTS: Final = "failpoints.jsonl"
TOPIC_FOLDER: Final = "topics"
ENDS: Final = "ends.json"


def now_ms() -> int:
    """Epoch milliseconds of the wall clock."""
    return time.time_ns() // 1_000_000


class Journal:
    """Writes one run's folder. Every method may be called from any thread; a line is on disk when the method returns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / TOPIC_FOLDER).mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._run: dict[str, Any] = {"is_collected": False}

    def run(self, **facts: Any) -> None:
        """Facts about the run, merged into `run.json`: seed, commit, world_mode, planned, bounds, began_ms, healed_ms, ended_ms."""
        with self._lock:
            self._run.update(facts)
            (self.path / RUN).write_text(json.dumps(self._run, indent=2, sort_keys=True), encoding="utf-8")

    def published(
        self, intent: ApprovedIntent, *, topic: str, partition: int, offset: int, acked_ms: int, is_approved: bool = True
    ) -> None:
        """The broker acknowledged this intent. `is_approved` False = its approval is worth nothing: no call may follow."""
        self._write(
            PUBLISHED,
            {
                "tenant_id": intent.tenant_id,
                "action_intent_id": intent.action_intent_id,
                "action_type": intent.action_type,
                "effect_class": effect_class_of(intent.action_type),
                "topic": topic,
                "partition": partition,
                "offset": offset,
                "acked_ms": acked_ms,
                "expires_at_epoch": intent.expires_at_epoch,
                "is_approved": is_approved,
                "intent": json.loads(encode_json(intent)),
            },
        )

    def publish(self, world: World, intents: Sequence[ApprovedIntent], *, is_approved: bool = True, timeout_s: float = 30.0) -> int:
        """Publish as an upstream would and note what was acknowledged; returns how many were.

        What was not acknowledged is not noted: it may be in the topic all the same, and is nobody's promise.
        """
        topic, partitions = world.platform.topic("intents.approved"), world.platform.options.partitions
        writer, acknowledged = KafkaWriter(world.platform.kafka), 0

        def send(intent: ApprovedIntent) -> None:
            def reported(error: EnactError | None, partition: int, offset: int) -> None:
                nonlocal acknowledged
                if error is None:
                    acknowledged += 1
                    self.published(intent, topic=topic, partition=partition, offset=offset, acked_ms=now_ms(), is_approved=is_approved)

            key = intent.action_intent_id.encode()
            writer.send(OutRecord(topic, partition_of(intent.action_intent_id, partitions), key, encode_json(intent)), reported)

        try:
            for intent in intents:
                send(intent)
            deadline_s = time.monotonic() + timeout_s
            while acknowledged < len(intents) and time.monotonic() < deadline_s:
                writer.poll()
                time.sleep(0.01)
        finally:
            writer.close()
        return acknowledged

    def command(self, kind: str, *, sent_ms: int, acked_ms: int | None, answer: str = "", **target: Any) -> None:
        """An operator's command: `engage`, `release` (scope, engagement_id, mode), `cancel`, `resolve`, `redrive` (of whom).

        `acked_ms` None = no acknowledgement came: it may hold all the same.
        """
        self._write(COMMANDS, {"kind": kind, "sent_ms": sent_ms, "acked_ms": acked_ms, "answer": answer, **target})

    def fault(self, kind: str, target: str, *, from_ms: int, to_ms: int | None = None, **detail: Any) -> None:
        """A fault that was made: `kill`, `stop`, `broker_kill`, `proxy_cut`, `world_mode`, `clock_jump` …"""
        self._write(FAULTS, {"kind": kind, "target": target, "from_ms": from_ms, "to_ms": to_ms, "detail": detail})

    def sample_processes(self, world: World) -> None:
        """One look at every stage process that runs."""
        at_ms = now_ms()
        for name, pid in all_processes(world).items():
            seen = look(pid)
            if seen is not None:
                self._write(PROCESSES, {"t_ms": at_ms, "name": name, "pid": pid, **seen})

    @contextmanager
    def sampling(self, world: World, every_s: float = 1.0) -> Iterator[None]:
        """Look at the processes all through the block."""
        is_over = threading.Event()

        def sample() -> None:
            while not is_over.wait(every_s):
                self.sample_processes(world)

        thread = threading.Thread(target=sample, daemon=True)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()

    def sample_lag(self, world: World) -> int | None:
        """One look at every group's lag; returns the sum of all, None if the cluster does not answer."""
        try:
            lags = list(_lags(world))
        except EnactError:
            return None
        at_ms = now_ms()
        for one in lags:
            self._write(GROUPS, {"t_ms": at_ms, **one})
        return sum(int(one["lag"]) for one in lags)

    def wait_for_no_lag(self, world: World, timeout_s: float = 90.0) -> bool:
        """Look at the lag, and at the processes, every two seconds until it is 0 twice in a row, or the time is over."""
        deadline_s, zeros = time.monotonic() + timeout_s, 0
        while time.monotonic() < deadline_s:
            self.sample_processes(world)
            zeros = zeros + 1 if self.sample_lag(world) == 0 else 0
            if zeros == 2:
                return True
            time.sleep(2.0)
        return False

    def collect(self, world: World, shorts: Iterable[str] | None = None) -> None:
        """At the end: dump the practice world's logs, every topic, the failpoints that were passed. Call it once, when all is quiet."""
        ends: dict[str, Any] = {}
        for short in shorts if shorts is not None else dumped_topics():
            ends[short] = self._dump(world, short)
        (self.path / TOPIC_FOLDER / ENDS).write_text(json.dumps(ends, indent=2, sort_keys=True), encoding="utf-8")
        sandbox = world.sandbox
        for name, rows in ((RECEIPTS, sandbox.receipts()), (APPLICATIONS, sandbox.applications()), (OBJECTS, sandbox.objects())):
            self._write(name, *rows)
        self._write(FAILPOINTS, *_hits(world.data_dir))
        self.run(is_collected=True, collected_ms=now_ms())

    def _dump(self, world: World, short: str) -> dict[str, Any]:
        records = sorted(world.dump(short), key=lambda record: (record.partition, record.offset))
        lines = (
            {
                "partition": record.partition,
                "offset": record.offset,
                "timestamp_ms": record.timestamp_ms,
                "key": _base64(record.key),
                "value": _base64(record.value),
                "headers": [[name, _base64(value)] for name, value in record.headers],
            }
            for record in records
        )
        self._write(f"{TOPIC_FOLDER}/{short}.jsonl", *lines)
        return {"records": len(records)}

    def _write(self, name: str, *lines: Mapping[str, Any]) -> None:
        text = "".join(json.dumps(line, ensure_ascii=True) + "\n" for line in lines)
        with self._lock, (self.path / name).open("a", encoding="utf-8") as file:
            file.write(text)


def dumped_topics() -> list[str]:
    """The short names of all topics, dead letters included."""
    return sorted(TOPICS)


@cache
def _effect_classes() -> dict[str, str]:
    return {
        entry["action_type"]: entry["effect_class"]["kind"]
        for _, file in registry_files(with_sandbox=True)
        for entry in yaml.safe_load(file.read_text())
    }


def effect_class_of(action_type: str) -> str:
    """The effect class that the shipped registry files give an action type; UNKNOWN for one they do not know."""
    return _effect_classes().get(action_type, "UNKNOWN")


def _lags(world: World) -> Iterator[dict[str, Any]]:
    admin, prefix = KafkaAdmin(world.platform.kafka), world.settings.topic_prefix
    for name in STAGES_WITH_GROUPS:
        stage, group = STAGES[name], group_name(name, prefix)
        topics = {world.platform.topic(short) for short in (*stage.reads, *([stage.log] if stage.log else []))}
        committed = {tp: offset for tp, offset in admin.committed_offsets(group).items() if tp.topic in topics}
        wanted = [TopicPartition(topic, number) for topic in topics for number in range(world.platform.options.partitions)]
        counts = {topic: found.partition_count for topic, found in admin.describe_topics(sorted(topics)).items()}
        wanted = [tp for tp in wanted if tp.partition < counts[tp.topic]]
        ends, begins = admin.end_offsets(wanted), admin.begin_offsets(wanted)
        for tp in wanted:
            at = committed.get(tp, begins[tp])
            yield {"group": group, "topic": tp.topic, "partition": tp.partition, "committed": at, "end": ends[tp], "lag": ends[tp] - at}


def _hits(data_dir: Path) -> Iterator[dict[str, Any]]:
    file = data_dir / FOLDER / HITS_FILE
    if file.exists():
        for line in file.read_text(encoding="utf-8").splitlines():
            yield json.loads(line)


def _base64(data: bytes | None) -> str | None:
    return None if data is None else b64encode(data).decode()
