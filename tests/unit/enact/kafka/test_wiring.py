"""One stage process, wired: its directory, its own state, and what it shares."""

from pathlib import Path

from enact.clock import SystemClock
from enact.health import HealthState
from enact.kafka.local import LocalBroker
from enact.kafka.wiring import instance_directory, stage_loop
from enact.log import get_logger
from enact.metrics import Metrics
from enact.settings import KafkaSettings, KernelSettings
from enact.stage_process import ProcessContext
from tests.unit.enact.kafka.loop_rig import ToyStage

NOBODY = "127.0.0.1:1"


def context(folder: Path) -> ProcessContext[KernelSettings]:
    clock = SystemClock()
    return ProcessContext(
        name="toy",
        settings=KernelSettings(kafka=KafkaSettings(bootstrap_servers=NOBODY), data_dir=folder),
        metrics=Metrics("toy"),
        health=HealthState(clock),
        log=get_logger("toy"),
        clock=clock,
    )


def test_each_instance_of_a_stage_has_a_directory_of_its_own(tmp_path: Path) -> None:
    one, other = instance_directory(context(tmp_path)), instance_directory(context(tmp_path))

    assert (one.path, other.path) == (tmp_path / "stages" / "toy" / "0", tmp_path / "stages" / "toy" / "1")


def test_a_loop_takes_a_directory_of_its_own_unless_it_is_given_one(tmp_path: Path) -> None:
    given, writer = instance_directory(context(tmp_path)), LocalBroker().writer()

    sharing = stage_loop(context(tmp_path), ToyStage(), group="g", dead_letter_topic="d", instance=given, writer=writer)
    alone = stage_loop(context(tmp_path), ToyStage(), group="g", dead_letter_topic="d")

    assert sharing._context.writer is writer
    assert sharing._context.state_folder == given.path
    assert alone._context.state_folder == tmp_path / "stages" / "toy" / "1"
    assert alone._context.dead_letter_topic == "d"
    for loop in (sharing, alone):
        loop._close()


def test_waiting_for_the_broker_beats(tmp_path: Path) -> None:
    made = context(tmp_path)
    loop = stage_loop(made, ToyStage(), group="g", dead_letter_topic="d")

    loop._context.reader._consumption._on_wait()  # type: ignore[attr-defined]
    loop._context.writer._on_wait()  # type: ignore[attr-defined]

    assert made.health.beats == 2
    loop._close()
