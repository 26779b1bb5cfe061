"""Where a scenario plays: a world whose stages may be patched, its journal, its operators, and the moves a scenario makes."""

import json
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cli.platform import Platform
from cli.processes import ProcessSpec
from enact.broker.embedded import EmbeddedBroker
from enact.errors import EnactError
from enact.failpoint_rules import FOLDER, HITS_FILE
from enact.ids import key_of
from enact.kafka.admin import KafkaAdmin
from enact.kafka.partitioner import partition_of
from enact.kafka.transport import NextOffset, OutRecord
from enact.records import EVENT_TYPES, ApprovedIntent, EventData, ExecutionEvent, Step
from enact.records.codec import encode
from tests.chaos.journal import Journal, now_ms
from tests.chaos.people import People
from tests.e2e.intents import make_intent
from tests.e2e.world import World
from topology.stages import group_name


class _Planting(Platform):
    """Starts the stage under test with patches, the others as they are."""

    stage = ""
    patches = ""

    def _specs(self) -> tuple[ProcessSpec, ...]:
        return tuple(self._planted(spec) if spec.stage == self.stage and self.patches else spec for spec in super()._specs())

    def _planted(self, spec: ProcessSpec) -> ProcessSpec:
        *python, module = spec.command
        command = (*python, "tests.chaos.planted.spawn", self.patches, module)
        return ProcessSpec(stage=spec.stage, instance=spec.instance, command=command, environ=spec.environ, health_port=spec.health_port)


class PlantedWorld(World):
    """A world of which one stage is started with patches (names joined by commas; empty = none)."""

    def __init__(
        self, folder: Path, prefix: str, *, bootstrap: str, stage: str, patches: str, instances: int, environ: Mapping[str, str]
    ) -> None:
        super().__init__(folder, prefix, bootstrap=bootstrap, instances=instances, environ=dict(environ))
        planting = _Planting(self.platform.settings, self.platform.options, tell=self.lines.append)
        planting.stage, planting.patches = stage, patches
        self.platform = planting


class Ground:
    """What a scenario may do."""

    def __init__(self, world: World, journal: Journal, broker: EmbeddedBroker) -> None:
        self.world, self.journal, self._broker = world, journal, broker
        self.people = People(world, journal)
        self.published: list[ApprovedIntent] = []
        self._frozen: list[int] = []

    def publish(self, count: int, action_type: str = "CREATE_CRM_TASK", *, lifetime_s: int = 3600) -> None:
        """So many fresh intents, acknowledged."""
        first = len(self.published)
        intents = [make_intent(first + n, action_type, lifetime_s=lifetime_s) for n in range(count)]
        assert self.journal.publish(self.world, intents) == count
        self.published += intents

    def append(self, intent: ApprovedIntent, data: EventData) -> None:
        """An event about an intent's action, appended to the execution log by somebody."""
        event = ExecutionEvent(
            tenant_id=intent.tenant_id,
            action_intent_id=intent.action_intent_id,
            generation=1,
            step=Step.EXECUTE,
            event_id=uuid.uuid4().hex,
            type=EVENT_TYPES[type(data)],
            at_ms=now_ms(),
            actor="somebody",
            data=data,
        )
        partition = partition_of(intent.action_intent_id, self.world.platform.options.partitions)
        key = key_of(intent.tenant_id, intent.action_intent_id)
        self.world.send([OutRecord(self.world.platform.topic("executions"), partition, key, encode(event))])

    def wait_for_hit(self, what: str, *, count: int = 1, timeout_s: float = 30.0) -> None:
        """Wait until a failpoint's rule has acted (`kill`, `delay` …)."""
        self.world.wait_until(lambda: self._hits(what) >= count, timeout_s, f"a failpoint that does {what}")

    def _hits(self, what: str) -> int:
        file = self.world.data_dir / FOLDER / HITS_FILE
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        return sum(json.loads(line)["what"] == what for line in lines)

    def wait_for_receipts(self, count: int, timeout_s: float = 30.0) -> None:
        """Wait until the practice world has received so many calls."""
        self.world.wait_until(lambda: len(self.world.receipts()) >= count, timeout_s, f"{count} receipts")

    def wait_for_outcomes(self, timeout_s: float = 40.0) -> None:
        """Wait until everything published has ended or is in doubt."""
        self.world.wait_for_outcomes(len(self.published), timeout_s)

    def committed(self, stage: str, short: str) -> int:
        """How many records of an input the stage's group has committed, over all partitions that begin at 0."""
        group, topic = group_name(stage, self.world.settings.topic_prefix), self.world.platform.topic(short)
        return sum(offset for tp, offset in KafkaAdmin(self.world.platform.kafka).committed_offsets(group).items() if tp.topic == topic)

    def rewind(self, stage: str) -> None:
        """Everything that a stopped stage has read, back to the beginning."""
        group, admin = group_name(stage, self.world.settings.topic_prefix), KafkaAdmin(self.world.platform.kafka)
        beginning = dict.fromkeys(admin.committed_offsets(group), NextOffset(0))

        def is_done() -> bool:
            try:
                admin.set_group_offsets(group, beginning, is_overwriting=True)
            except EnactError:
                return False
            return True

        assert beginning
        self.world.wait_until(is_done, 20, f"{group} can be rewound")

    def engage(self) -> str:
        """Stop everything; the engagement's id."""
        engagement_id = self.people.engage("global", "HOLD")
        assert engagement_id is not None
        return engagement_id

    def kill(self, name: str) -> None:
        """`kill -9` of a stage; the supervisor starts it again."""
        at_ms = now_ms()
        self.world.signal(name, signal.SIGKILL)
        self.journal.fault("kill", name, from_ms=at_ms, to_ms=at_ms)

    def freeze(self, name: str, for_s: float) -> None:
        """Freeze a stage for a while."""
        at_ms = now_ms()
        self.world.signal(name, signal.SIGSTOP)
        try:
            time.sleep(for_s)
        finally:
            self.world.signal(name, signal.SIGCONT)
        self.journal.fault("stop", name, from_ms=at_ms, to_ms=now_ms())

    def freeze_for_good(self, name: str) -> None:
        """Freeze a stage until the run is over."""
        self._frozen.append(self.world.pids()[name])
        self.world.signal(name, signal.SIGSTOP)
        self.journal.fault("stop", name, from_ms=now_ms())

    def kill_the_frozen(self) -> None:
        """At the end: who stands still would not hear that it should stop."""
        for pid in self._frozen:
            os.kill(pid, signal.SIGKILL)

    def freeze_broker(self, for_s: float) -> None:
        """Freeze the broker for a while."""
        assert self._broker.pid is not None
        at_ms = now_ms()
        os.kill(self._broker.pid, signal.SIGSTOP)
        try:
            time.sleep(for_s)
        finally:
            os.kill(self._broker.pid, signal.SIGCONT)
        self.journal.fault("broker_stop", "broker", from_ms=at_ms, to_ms=now_ms())

    def beside(self, act: Callable[[], Any]) -> threading.Thread:
        """Do it in a thread of its own."""
        thread = threading.Thread(target=act, daemon=True)
        thread.start()
        return thread
