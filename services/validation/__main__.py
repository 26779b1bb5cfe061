"""Runs validation: `python -m services.validation`."""

import sys
import threading

from enact.approval_profile import approval_rules
from enact.kafka.client import KafkaWriter
from enact.kafka.log_reader import LogReader
from enact.kafka.wiring import stage_loop
from enact.registry_table import RegistryTable
from enact.stage_process import ProcessContext, run_stage
from enact.switch_table import SwitchTable
from services.validation.emission import Topics
from services.validation.settings import Settings
from services.validation.stage import ValidationStage
from topology.stages import dead_letters, group_name
from topology.subjects import subjects
from topology.topics import topic_name


class Validation:
    """The wired stage and the tables it reads."""

    def __init__(self, context: ProcessContext[Settings]) -> None:
        settings, prefix = context.settings, context.settings.topic_prefix

        def topic(short: str) -> str:
            return topic_name(short, prefix)

        approvals = approval_rules(settings, context.clock, context.metrics)
        writer = KafkaWriter(settings.kafka, on_wait=context.health.beat)
        self._registry = RegistryTable(topic("registry"), lambda: LogReader(settings.kafka))
        self._switches = SwitchTable(topic("switches"), lambda: LogReader(settings.kafka), context.clock)
        stage = ValidationStage(
            Topics(
                approved=topic("intents.approved"),
                returned=topic("intents.returned"),
                admissions=topic("admissions"),
                validated=topic("intents.validated"),
                tool_calls=topic("tool-calls"),
                ledger=topic("ledger"),
            ),
            partition_count=writer.partition_count(topic("admissions")),
            registry=self._registry.view,
            clock=context.clock,
            limits=settings.validation.limits,
            rejected_by=self._switches.rejected_by,
            approvals=approvals,
        )
        self._loop = stage_loop(
            context,
            stage,
            group=group_name(context.name, prefix),
            dead_letter_topic=topic_name(dead_letters(context.name), prefix),
            writer=writer,
        )

    def run(self, stop: threading.Event) -> None:
        """Read the tables to their ends, then decide until stopped."""
        self._registry.start()
        self._switches.start()
        try:
            self._loop.run(stop)
        finally:
            self._switches.stop()
            self._registry.stop()


if __name__ == "__main__":
    sys.exit(run_stage("validation", Validation, Settings, subjects=subjects))
