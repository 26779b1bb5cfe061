"""Runs reconciliation: `python -m services.reconciliation`."""

import os
import sys
import threading

from enact.kafka.client import KafkaWriter
from enact.kafka.wiring import watch_loop
from enact.metrics import Remedy
from enact.stage_process import ProcessContext, run_stage
from services.reconciliation.allowance import Allowance
from services.reconciliation.repairs import Topics
from services.reconciliation.settings import Settings
from services.reconciliation.stage import ReconciliationStage
from topology.stages import dead_letters, group_name
from topology.subjects import subjects
from topology.topics import topic_name

BEHIND_THE_STAGES = 5
"""How far this process stands back from the others on a busy machine: what it compares is minutes old anyway."""


class Reconciliation:
    """The wired stage."""

    def __init__(self, context: ProcessContext[Settings]) -> None:
        settings, prefix = context.settings, context.settings.topic_prefix

        def topic(short: str) -> str:
            return topic_name(short, prefix)

        def on_remedy(remedy: Remedy) -> None:
            context.metrics.repairs[remedy].inc()

        topics = Topics(
            admissions=topic("admissions"),
            executions=topic("executions"),
            ledger=topic("ledger"),
            outcomes=topic("outcomes"),
            returned=topic("intents.returned"),
            notifications=topic("notifications"),
        )
        writer = KafkaWriter(settings.kafka, on_wait=context.health.beat)
        stage = ReconciliationStage(
            topics,
            bounds=settings.reconciliation.bounds,
            clock=context.clock,
            allowance=Allowance(settings.reconciliation.max_per_s, context.clock),
            partition_count=writer.partition_count(topics.executions),
            grace_s=settings.reconciliation.grace_s,
            on_remedy=on_remedy,
        )
        self._loop = watch_loop(
            context,
            stage,
            group=group_name(context.name, prefix),
            dead_letter_topic=topic(dead_letters(context.name)),
            writer=writer,
        )

    def run(self, stop: threading.Event) -> None:
        """Watch until stopped."""
        self._loop.run(stop)


if __name__ == "__main__":
    os.nice(BEHIND_THE_STAGES)
    sys.exit(run_stage("reconciliation", Reconciliation, Settings, subjects=subjects))
