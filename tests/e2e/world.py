"""A running enact under test, and an outside look at it: topics as they are, the sandbox's own logs, processes by pid.

Nothing here asks enact what happened; it reads the topics with plain readers and the sandbox's receipts.
"""

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from cli.platform import Platform, PlatformOptions
from connectors.sandbox.admin_client import SandboxAdmin
from enact.clock import SystemClock
from enact.kafka.admin import KafkaAdmin
from enact.kafka.client import KafkaWriter
from enact.kafka.log_reader import LogReader
from enact.kafka.partitioner import partition_of
from enact.kafka.transport import InRecord, NextOffset, OutRecord, TopicPartition
from enact.lifecycle import TERMINAL
from enact.reading import read_between
from enact.records import ActionOutcome, ExecutionEvent, LedgerEntry, Signal, Status
from enact.records.codec import decode, encode_json
from enact.records.intent import ApprovedIntent
from enact.settings import KernelSettings, load
from topology.stages import RUNNING_STAGES, STAGES, dead_letters, group_name

R = TypeVar("R")
DONE = TERMINAL | {Status.IN_DOUBT}
ALLOW = "ENACT_OUTBOUND__ALLOW"
"""What the environment gives here is allowed besides the sandbox."""

STAGES_WITH_GROUPS = ("validation", "tool_mapping", "invocation", "recording", "reconciliation")


class World:
    """One enact with a topic prefix of its own on the given broker. `stage_environ` is for the stages' ears alone."""

    def __init__(
        self,
        folder: Path,
        prefix: str,
        *,
        bootstrap: str | None,
        instances: int = 1,
        environ: dict[str, str] | None = None,
        stage_environ: dict[str, str] | None = None,
        without: Sequence[str] = (),
    ) -> None:
        """`without`: stages that are not started."""
        self.folder = folder
        given = {"ENACT_DATA_DIR": str(folder / "data"), "ENACT_TOPIC_PREFIX": prefix}
        if bootstrap is not None:
            given["ENACT_KAFKA__BOOTSTRAP_SERVERS"] = bootstrap
        self.settings = load(KernelSettings, {**given, **(environ or {})})
        self.lines: list[str] = []
        options = PlatformOptions(
            has_sandbox=True,
            has_free_ports=True,
            replication_factor=1,
            instances=dict.fromkeys([stage for stage in STAGES_WITH_GROUPS if stage not in without], instances),
            stages=tuple(stage for stage in RUNNING_STAGES if stage not in without),
            environ={"ENACT_TOPIC_PREFIX": prefix, **_without(ALLOW, environ or {}), **(stage_environ or {})},
        )
        self.platform = Platform(self.settings, options, tell=self.lines.append)
        self._tending: threading.Thread | None = None
        self._may_tend = threading.Event()

    def start(self) -> None:
        """Start, wait until ready, and keep supervising in a thread."""
        assert self.platform.start(), "the platform was asked to stop"
        self._may_tend.set()
        self._tending = threading.Thread(target=self._tend, daemon=True)
        self._tending.start()

    def stop(self) -> None:
        """Stop everything."""
        self._may_tend.clear()
        if self._tending is not None:
            self._tending.join()
        self.platform.stop()

    def restart(self) -> None:
        """Stop and start again on the same data and topics."""
        self.stop()
        self.start()

    @property
    def sandbox(self) -> SandboxAdmin:
        """The practice world's back door."""
        assert self.platform.sandbox_url is not None
        return SandboxAdmin(self.platform.sandbox_url)

    @property
    def data_dir(self) -> Path:
        """Where local state lies."""
        return self.platform.data_dir

    def pids(self, *, stage: str | None = None) -> dict[str, int]:
        """Running stage processes by name."""
        supervisor = self.platform.supervisor
        assert supervisor is not None
        stages = STAGES_WITH_GROUPS if stage is None else (stage,)
        return {child.name: child.pid for child in supervisor.children if child.pid is not None and child.spec.stage in stages}

    def signal(self, name: str, number: signal.Signals) -> None:
        """Signal one stage process, if it runs."""
        pid = self.pids().get(name)
        if pid is not None:
            os.kill(pid, number)

    @contextmanager
    def without(self, stage: str) -> Iterator[None]:
        """No process of this stage while the block lasts: killed at its beginning, started again after its end. Nobody is watched over."""
        self._may_tend.clear()
        if self._tending is not None:
            self._tending.join()
        for pid in self.pids(stage=stage).values():
            os.kill(pid, signal.SIGKILL)
        yield
        self._may_tend.set()
        self._tending = threading.Thread(target=self._tend, daemon=True)
        self._tending.start()

    def publish(self, intents: Iterable[ApprovedIntent]) -> None:
        """As an upstream would: JSON, keyed by id, murmur2."""
        topic, partitions = self.platform.topic("intents.approved"), self.platform.options.partitions
        self.send(
            OutRecord(topic, partition_of(intent.action_intent_id, partitions), intent.action_intent_id.encode(), encode_json(intent))
            for intent in intents
        )

    def send(self, records: Iterable[OutRecord]) -> None:
        """Any records, where they are told to go."""
        writer = KafkaWriter(self.platform.kafka)
        for record in records:
            writer.send(record)
        writer.flush(60)
        writer.close()

    def dump(self, short: str) -> list[InRecord]:
        """Every record of a topic, to the end it has now."""
        reader, topic = LogReader(self.platform.kafka), self.platform.topic(short)
        partitions = [TopicPartition(topic, p) for p in range(reader.partition_count(topic))]
        begins, ends = reader.begin_offsets(partitions), reader.end_offsets(partitions)
        ranges = {tp: (NextOffset(begins[tp]), NextOffset(ends[tp])) for tp in partitions}
        try:
            return list(read_between(reader, ranges, clock=SystemClock(), timeout_s=60))
        finally:
            reader.close()

    def size(self, short: str) -> int:
        """How many records a topic has, without reading them."""
        reader = LogReader(self.platform.kafka)
        topic = self.platform.topic(short)
        partitions = [TopicPartition(topic, p) for p in range(reader.partition_count(topic))]
        begins, ends = reader.begin_offsets(partitions), reader.end_offsets(partitions)
        reader.close()
        return sum(ends[tp] - begins[tp] for tp in partitions)

    def records(self, short: str, kind: type[R]) -> list[R]:
        """Every record of a topic, decoded."""
        return [decode(kind, record.value) for record in self.dump(short) if record.value is not None]

    def outcomes(self) -> dict[tuple[str, str], ActionOutcome]:
        """The outcome that counts, of each execution."""
        best: dict[tuple[str, str], ActionOutcome] = {}
        for outcome in self.records("outcomes", ActionOutcome):
            key = (outcome.tenant_id, outcome.action_intent_id)
            if key not in best or best[key].version < outcome.version:
                best[key] = outcome
        return best

    def ledger(self) -> dict[str, LedgerEntry]:
        """Ledger entries by their id."""
        return {entry.entry_id: entry for entry in self.records("ledger", LedgerEntry)}

    def signals(self) -> dict[str, Signal]:
        """Signals by their id."""
        return {signal_.signal_id: signal_ for signal_ in self.records("signals", Signal)}

    def events(self) -> list[ExecutionEvent]:
        """The execution log."""
        return self.records("executions", ExecutionEvent)

    def dead_letters(self, stage: str) -> list[InRecord]:
        """What a stage kept for a person."""
        return self.dump(dead_letters(stage))

    def receipts(self) -> list[dict[str, Any]]:
        """Every write that reached the sandbox."""
        return self.sandbox.receipts(kind="write")

    def wait_until(self, is_true: Callable[[], bool], timeout_s: float, what: str) -> None:
        """Poll until true. Raises: AssertionError naming what did not happen."""
        deadline = time.monotonic() + timeout_s
        while not is_true():
            assert time.monotonic() < deadline, f"{what} within {timeout_s} s; last lines: {self.lines[-15:]}"
            time.sleep(0.25)

    def wait_for_outcomes(self, count: int, timeout_s: float, statuses: Iterable[Status] = DONE) -> dict[tuple[str, str], ActionOutcome]:
        """Wait until so many executions have one of these outcomes."""
        wanted = frozenset(statuses)
        found: dict[tuple[str, str], ActionOutcome] = {}

        def is_done() -> bool:
            nonlocal found
            found = {key: o for key, o in self.outcomes().items() if o.status in wanted}
            return len(found) >= count

        try:
            self.wait_until(is_done, timeout_s, f"{count} outcomes")
        except AssertionError as error:
            raise AssertionError(f"{len(found)} of {count} outcomes: {Counter(o.status for o in found.values())}; {error}") from None
        return found

    def wait_for_quiet(self, timeout_s: float = 60.0, quiet_s: float = 2.0) -> None:
        """Wait until no topic of the pipeline grows any more."""
        asked, decided = ("intents.approved", "admissions", "intents.validated", "tool-calls"), ("executions", "tool-results", "outcomes")
        shorts = (*asked, *decided, "ledger", "signals")
        last: dict[TopicPartition, NextOffset] = {}
        since = time.monotonic()
        deadline = time.monotonic() + timeout_s
        reader = LogReader(self.platform.kafka)
        partitions = [TopicPartition(self.platform.topic(s), p) for s in shorts for p in range(self.platform.options.partitions)]
        while time.monotonic() - since < quiet_s:
            assert time.monotonic() < deadline, "the topics do not come to rest"
            ends = dict(reader.end_offsets(partitions))
            if ends != last:
                last, since = ends, time.monotonic()
            time.sleep(0.25)
        reader.close()

    def skip_to_end(self, stage: str) -> None:
        """Move the group of a stage that does not run behind everything it would have read: what lies there is lost on it."""
        admin = KafkaAdmin(self.platform.kafka)
        topics = [self.platform.topic(short) for short in STAGES[stage].reads]
        ends = admin.end_offsets([TopicPartition(topic, p) for topic in topics for p in range(self.platform.options.partitions)])
        admin.set_group_offsets(group_name(stage, self.settings.topic_prefix), ends, is_overwriting=True)

    def _tend(self) -> None:
        supervisor = self.platform.supervisor
        assert supervisor is not None
        while self._may_tend.is_set():
            supervisor.tick()
            time.sleep(0.05)


def _without(name: str, environ: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in environ.items() if key != name}
