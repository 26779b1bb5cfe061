"""Start the api: settings → read model, follower, server → run."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from enact.broker.file_lock import FileLock
from enact.clock import Clock
from enact.command_door import CommandDoor, CommandTopics
from enact.errors import ConfigurationError
from enact.kafka.client import KafkaWriter, LogReader
from enact.metrics import Result
from enact.settings import Profile
from enact.stage_process import ProcessContext, run_stage
from enact.switch_table import SwitchTable
from services.api.command_desk import CommandDesk
from services.api.follower import Follower
from services.api.ledger_writer import Applied
from services.api.read_model import ReadModel, sqlite_url
from services.api.server import ApiServer
from services.api.settings import Settings
from services.api.switch_desk import OpenDoor, SwitchDesk
from topology.subjects import subjects
from topology.topics import topic_name

_MAX_INSTANCES = 16


def build(context: ProcessContext[Settings]) -> ApiServer:
    """Wire the api. Raises: ConfigurationError."""
    settings = context.settings
    lock = free_folder(settings.data_dir)
    ledger = topic_name("ledger", settings.topic_prefix)
    model = ReadModel.at(settings.read_model_url or sqlite_url(lock.path.parent))

    def count(applied: Applied, unreadable: int) -> None:
        context.metrics.took(applied.kept + applied.repeated + unreadable)
        for result, number in ((Result.OK, applied.kept), (Result.SILENT, applied.repeated), (Result.SKIPPED, unreadable)):
            context.metrics.records[result].inc(number)

    switches = SwitchTable(topic_name("switches", settings.topic_prefix), lambda: LogReader(settings.kafka), context.clock)
    doors, takes_orders = _doors(settings, context.clock), settings.profile is not Profile.PRODUCTION
    desk = SwitchDesk(switches, model, doors, takes_orders=takes_orders)
    follower = Follower(topic=ledger, reader=LogReader(settings.kafka), ledger=model.ledger, clock=context.clock, on_applied=count)
    return ApiServer(
        model=model,
        follower=follower,
        desk=desk,
        commands=CommandDesk(doors, takes_orders=takes_orders),
        switches=switches,
        clock=context.clock,
        health=context.health,
        host=settings.api.host,
        port=settings.api.port,
        origins=settings.allowed_origins,
        base_path=settings.api.base_path,
        lock=lock,
    )


def _doors(settings: Settings, clock: Clock) -> OpenDoor:
    """Orders are rare: each gets a producer of its own, and an api at rest keeps none."""
    names = {short: topic_name(short, settings.topic_prefix) for short in ("ledger", "executions", "switches", "registry")}

    @contextmanager
    def open_door(actor: str) -> Iterator[CommandDoor]:
        writer = KafkaWriter(settings.kafka)
        try:
            yield CommandDoor(
                writer=writer,
                open_reader=lambda: LogReader(settings.kafka),
                topics=CommandTopics(**names),
                clock=clock,
                actor=actor,
                stage="api",
            )
        finally:
            writer.close()

    return open_door


def free_folder(data_dir: Path) -> FileLock:
    """The lock of `api`, or of `api-1`, `api-2`, … when other instances hold the ones before.

    Raises: ConfigurationError if there is none, or if the folder cannot be used.
    """
    try:
        for number in range(_MAX_INSTANCES):
            lock = FileLock(data_dir / (f"api-{number}" if number else "api") / "lock")
            if lock.try_acquire():
                return lock
    except OSError as error:
        raise ConfigurationError(f"ENACT_DATA_DIR: {data_dir} cannot be used ({error.strerror}): set another folder.") from error
    raise ConfigurationError(f"ENACT_DATA_DIR: {_MAX_INSTANCES} instances of the api already use {data_dir}: give this one another folder.")


if __name__ == "__main__":
    sys.exit(run_stage("api", build, Settings, subjects=subjects))
