"""Runs tool mapping: `python -m services.tool_mapping`."""

import sys
import threading

from enact.kafka.log_reader import LogReader
from enact.kafka.wiring import stage_loop
from enact.registry_table import RegistryTable
from enact.settings import KernelSettings
from enact.stage_process import ProcessContext, run_stage
from services.tool_mapping.stage import ToolMappingStage, Topics
from topology.stages import dead_letters, group_name
from topology.subjects import subjects
from topology.topics import topic_name


class ToolMapping:
    """The wired stage and the registry it reads."""

    def __init__(self, context: ProcessContext[KernelSettings]) -> None:
        settings, prefix = context.settings, context.settings.topic_prefix

        def topic(short: str) -> str:
            return topic_name(short, prefix)

        self._registry = RegistryTable(topic("registry"), lambda: LogReader(settings.kafka))
        topics = Topics(validated=topic("intents.validated"), tool_calls=topic("tool-calls"), ledger=topic("ledger"))
        self._loop = stage_loop(
            context,
            ToolMappingStage(topics, wait_for_registry=self._registry.wait_for),
            group=group_name(context.name, prefix),
            dead_letter_topic=topic_name(dead_letters(context.name), prefix),
        )

    def run(self, stop: threading.Event) -> None:
        """Read the registry to its end, then map until stopped."""
        self._registry.start()
        try:
            self._loop.run(stop)
        finally:
            self._registry.stop()


if __name__ == "__main__":
    sys.exit(run_stage("tool_mapping", ToolMapping, KernelSettings, subjects=subjects))
