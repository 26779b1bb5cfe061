"""From a process and a stage to a running loop: reader, writer, instance directory, dead letters."""

from pathlib import Path
from typing import TypeVar

from enact.instance import InstanceDirectory
from enact.kafka.client import KafkaWriter
from enact.kafka.group_reader import GroupReader
from enact.kafka.loop_context import ActiveStage, LoopContext
from enact.kafka.stage import Stage
from enact.kafka.stage_loop import StageLoop
from enact.kafka.statistics import StatisticsCollector
from enact.kafka.transport import Writer
from enact.settings import KernelSettings
from enact.stage_process import ProcessContext

S = TypeVar("S", bound=KernelSettings)


def instance_directory(context: ProcessContext[S]) -> InstanceDirectory:
    """The directory of this instance of the stage, locked until the process ends."""
    return InstanceDirectory(Path(context.settings.data_dir) / "stages" / context.name)


def stage_loop(
    context: ProcessContext[S],
    stage: Stage,
    *,
    group: str,
    dead_letter_topic: str,
    instance: InstanceDirectory | None = None,
    writer: Writer | None = None,
    active: ActiveStage | None = None,
) -> StageLoop:
    """The loop of a stage in this process. `instance` and `writer` only where the stage shares them."""
    instance = instance or instance_directory(context)
    kafka = context.settings.kafka
    loop_context = LoopContext(
        reader=GroupReader(kafka, group, on_statistics=StatisticsCollector(context.metrics).collect, on_wait=context.health.beat),
        writer=writer or KafkaWriter(kafka, on_wait=context.health.beat),
        clock=context.clock,
        meter=context.metrics,
        health=context.health,
        state_folder=instance.path,
        dead_letter_topic=dead_letter_topic,
    )
    return StageLoop(stage, loop_context, active)
