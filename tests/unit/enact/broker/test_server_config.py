"""The broker's settings are a promise to the stages: loopback only, no surprise topics, quick take-over."""

from pathlib import Path

from enact.broker.ports import LOOPBACK
from enact.broker.server_config import server_properties


def settings(log_dir: str = "/data/log") -> dict[str, str]:
    lines = server_properties(log_dir=Path(log_dir), port=9092, controller_port=9093).splitlines()
    return dict(line.split("=", 1) for line in lines)


def test_every_listener_is_on_loopback_and_advertised_as_it_is() -> None:
    found = settings()

    assert found["listeners"] == f"PLAINTEXT://{LOOPBACK}:9092,CONTROLLER://{LOOPBACK}:9093"
    assert found["advertised.listeners"] == found["listeners"]


def test_no_setting_asks_for_a_second_copy() -> None:
    copies = {name: value for name, value in settings().items() if name.endswith(("replication.factor", "min.isr", "min.insync.replicas"))}

    assert len(copies) >= 7
    assert set(copies.values()) == {"1"}


def test_the_heartbeat_fits_twice_into_the_broker_session_and_groups_move_after_six_seconds() -> None:
    found = settings()

    assert int(found["broker.heartbeat.interval.ms"]) * 2 <= int(found["broker.session.timeout.ms"]) == 1500
    assert int(found["group.consumer.min.session.timeout.ms"]) <= int(found["group.consumer.session.timeout.ms"]) == 6000
    assert int(found["group.consumer.min.heartbeat.interval.ms"]) <= int(found["group.consumer.heartbeat.interval.ms"]) == 1000
    assert found["auto.create.topics.enable"] == "false"


def test_a_backslash_in_the_folder_survives_javas_reading() -> None:
    assert settings("/data\\x")["log.dirs"] == "/data\\\\x"
