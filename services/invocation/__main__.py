"""Runs invocation: `python -m services.invocation`."""

import random
import sys
import threading
from collections.abc import Callable

from connectors.catalogue import build_connectors
from enact.approval_profile import approval_rules
from enact.clock import Clock
from enact.ids import parts_of
from enact.instance import InstanceDirectory
from enact.kafka.client import KafkaWriter
from enact.kafka.global_table import GlobalTable
from enact.kafka.log_reader import LogReader
from enact.kafka.partitioner import partition_of
from enact.kafka.stage_loop import StageLoop
from enact.kafka.wiring import instance_directory, stage_loop
from enact.registry_table import RegistryTable
from enact.stage_process import ProcessContext, run_stage
from enact.switches import SwitchWatch
from enact.watchdog import ProgressWatchdog
from services.invocation.breaker import BreakerRule, Breakers
from services.invocation.caller import Caller
from services.invocation.claims import Desk
from services.invocation.events import EventWriter
from services.invocation.gate import Gate
from services.invocation.limits import Limits
from services.invocation.limits_file import LimitsSource
from services.invocation.memory import PartitionMemories
from services.invocation.metering import InvocationMetrics
from services.invocation.nonces import NonceMemory
from services.invocation.owner import Owner
from services.invocation.permits import Permits
from services.invocation.publishing import publish_to
from services.invocation.request_check import RequestCheck
from services.invocation.settings import InvocationGroup, InvocationSettings
from services.invocation.stage import InvocationStage
from services.invocation.topics import InvocationTopics
from services.invocation.window import Window
from topology.stages import dead_letters, group_name
from topology.subjects import subjects
from topology.topics import topic_name

CONNECTORS = ("internal", "crm", "sandbox")


class Invocation:
    """The wired stage with everything that runs beside its loop."""

    def __init__(self, context: ProcessContext[InvocationSettings]) -> None:
        settings, kafka, prefix = context.settings, context.settings.kafka, context.settings.topic_prefix

        def topic(short: str) -> str:
            return topic_name(short, prefix)

        limits = LimitsSource(settings.invocation.limits_file)
        approvals = approval_rules(settings, context.clock, context.metrics)
        instance = instance_directory(context)
        writer = KafkaWriter(kafka, on_wait=context.health.beat)
        object_partitions = writer.partition_count(topic("internal-objects"))
        switches_topic = topic("switches")
        self.registry = RegistryTable(topic("registry"), lambda: LogReader(kafka))
        self.switches = SwitchWatch(topic=switches_topic, slot=f"invocation.{instance.number}", writer=writer, clock=context.clock)
        self.switch_table = GlobalTable(switches_topic, lambda: LogReader(kafka), on_record=self.switches.on_record)
        connectors = build_connectors(
            publish=publish_to(topic("internal-objects"), writer, lambda key: partition_of(parts_of(key)[-1], object_partitions)),
            clock=context.clock,
            credentials_dir=settings.credentials_dir,
            outbound_allow=settings.outbound.allow,
            ca_file=settings.invocation.ca_file,
        )
        meter = InvocationMetrics(context.metrics)
        permits = _permits(settings.invocation, limits, context.clock, meter)
        window = Window(settings.invocation.window, on_free=permits.give_back)
        self.caller = Caller(connectors, writer, context.clock, meter, window.give_back, on_answer=permits.learn)
        desk = Desk(
            events=EventWriter(topic("executions"), context.clock, instance.owner),
            nonces=NonceMemory(instance.owner.incarnation_id),
            window=window,
            gate=Gate(
                self.switches,
                context.clock,
                is_enabled=settings.execution_enabled,
                further=(permits.check,),
                is_held_further=permits.is_held,
            ),
            permits=permits,
            caller=self.caller,
            request_check=RequestCheck(self.registry.view, context.clock, approvals),
            writer=writer,
            clock=context.clock,
            meter=meter,
        )
        self._loop = _loop(context, instance, desk, topic, writer.partition_count(topic("executions")))

    def run(self, stop: threading.Event) -> None:
        """Read the tables, prove the switches fresh, run the loop until stopped."""
        self.registry.start()
        self.switch_table.start()
        self.switches.start()
        self.caller.start()
        watchdogs = [ProgressWatchdog(lambda: self.caller.beats), ProgressWatchdog(lambda: self.switches.beats)]
        for watchdog in watchdogs:
            watchdog.start()
        try:
            self._loop.run(stop)
        finally:
            for watchdog in watchdogs:
                watchdog.stop()
            self.switches.stop()
            self.switch_table.stop()
            self.registry.stop()
            self.caller.close()


def _permits(settings: InvocationGroup, limits: LimitsSource, clock: Clock, meter: InvocationMetrics) -> Permits:
    """Breakers, and the limits of the file."""
    rule = BreakerRule(
        failures=settings.breaker_failures,
        open_s=settings.breaker_open_s,
        max_open_s=settings.breaker_max_open_s,
        trials=settings.breaker_trials,
    )
    return Permits(Breakers(rule, clock, random.uniform), Limits(limits.current, clock), limits, meter)


def _loop(
    context: ProcessContext[InvocationSettings], instance: InstanceDirectory, desk: Desk, topic: Callable[[str], str], partition_count: int
) -> StageLoop:
    """The stage and the owner of its partitions, sharing what they remember of each."""
    memories = PartitionMemories(desk.window)
    topics = InvocationTopics(
        executions=topic("executions"), tool_results=topic("tool-results"), ledger=topic("ledger"), returned=topic("intents.returned")
    )
    stage = InvocationStage(
        tool_calls=topic("tool-calls"),
        topics=topics,
        partition_count=partition_count,
        events=desk.events,
        memory_of=memories.of,
    )
    owner = Owner(
        stage.inputs,
        memories,
        desk,
        partition_count=partition_count,
        tell=lambda condition, is_met: context.health.set_condition(condition, is_met=is_met),
    )
    return stage_loop(
        context,
        stage,
        group=group_name(context.name, context.settings.topic_prefix),
        dead_letter_topic=topic(dead_letters(context.name)),
        instance=instance,
        writer=desk.writer,
        active=owner,
    )


if __name__ == "__main__":
    sys.exit(run_stage("invocation", Invocation, InvocationSettings, connectors=CONNECTORS, subjects=subjects))
