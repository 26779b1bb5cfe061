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
from enact.kafka.transport import Reader, Writer
from enact.kafka.watch_loop import Watcher, WatchLoop
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
    reader = GroupReader(
        context.settings.kafka, group, on_statistics=StatisticsCollector(context.metrics).collect, on_wait=context.health.beat
    )
    return StageLoop(stage, _loop_context(context, reader, dead_letter_topic, instance, writer), active)


def watch_loop(
    context: ProcessContext[S], stage: Watcher, *, group: str, dead_letter_topic: str, writer: Writer | None = None
) -> WatchLoop:
    """The loop of a watching stage in this process; it reads patiently, much at once."""
    reader = GroupReader(
        context.settings.kafka,
        group,
        on_statistics=StatisticsCollector(context.metrics).collect,
        on_wait=context.health.beat,
        is_patient=True,
    )
    return WatchLoop(stage, _loop_context(context, reader, dead_letter_topic, None, writer))


def _loop_context(
    context: ProcessContext[S], reader: Reader, dead_letter_topic: str, instance: InstanceDirectory | None, writer: Writer | None
) -> LoopContext:
    instance = instance or instance_directory(context)
    return LoopContext(
        reader=reader,
        writer=writer or KafkaWriter(context.settings.kafka, on_wait=context.health.beat),
        clock=context.clock,
        meter=context.metrics,
        health=context.health,
        state_folder=instance.path,
        dead_letter_topic=dead_letter_topic,
    )
