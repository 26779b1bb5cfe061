"""Runs recording: `python -m services.recording`."""

import sys
import threading

from enact.kafka.log_reader import LogReader
from enact.kafka.wiring import stage_loop
from enact.records import Status
from enact.registry_table import RegistryTable
from enact.settings import KernelSettings
from enact.stage_process import ProcessContext, run_stage
from services.recording.stage import RecordingStage, Topics
from topology.stages import dead_letters, group_name
from topology.subjects import subjects
from topology.topics import topic_name


class Recording:
    """The wired stage and the registry it asks for compensation strategies."""

    def __init__(self, context: ProcessContext[KernelSettings]) -> None:
        settings, prefix = context.settings, context.settings.topic_prefix

        def topic(short: str) -> str:
            return topic_name(short, prefix)

        self._registry = RegistryTable(topic("registry"), lambda: LogReader(settings.kafka))
        topics = Topics(
            tool_results=topic("tool-results"),
            outcomes=topic("outcomes"),
            signals=topic("signals"),
            ledger=topic("ledger"),
            notifications=topic("notifications"),
            compensations=topic("compensations"),
        )

        def ended(status: Status, approved_ms: int) -> None:
            context.metrics.end_to_end_s[status].observe(max(0, context.clock.wall_ms() - approved_ms) / 1000)

        self._loop = stage_loop(
            context,
            RecordingStage(topics, registry=self._registry.view, on_end=ended),
            group=group_name(context.name, prefix),
            dead_letter_topic=topic_name(dead_letters(context.name), prefix),
        )

    def run(self, stop: threading.Event) -> None:
        """Read the registry to its end, then record until stopped."""
        self._registry.start()
        try:
            self._loop.run(stop)
        finally:
            self._registry.stop()


if __name__ == "__main__":
    sys.exit(run_stage("recording", Recording, KernelSettings, subjects=subjects))
