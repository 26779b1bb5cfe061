"""The settings that docker-compose.yml gives to its broker are taken by Kafka itself."""

import subprocess
from pathlib import Path

import pytest

from enact.broker.jars import kafka_jars
from enact.broker.java import SMALL, java_command
from enact.settings import cache_folder
from tests.unit.topology.deployment.facts import yaml_of
from topology.deployment.compose import BROKER, BROKER_DATA, PATH


def properties(data_dir: Path) -> tuple[str, dict[str, str]]:
    """Cluster id and server.properties, made of the variables by the rule of the apache/kafka image."""
    given = yaml_of(PATH)["services"][BROKER]["environment"]
    cluster_id = given.pop("CLUSTER_ID")
    named = {name.removeprefix("KAFKA_").lower().replace("_", "."): value for name, value in given.items()}
    return cluster_id, {**named, "log.dirs": named["log.dirs"].replace(BROKER_DATA, str(data_dir))}


def formatted(tmp_path: Path, **planted: str) -> subprocess.CompletedProcess[str]:
    cluster_id, settings = properties(tmp_path / "data")
    config = tmp_path / "server.properties"
    config.write_text("".join(f"{name}={value}\n" for name, value in {**settings, **planted}.items()), encoding="utf-8")
    java = java_command(SMALL, kafka_jars(cache_folder(), print))
    tool = [*java, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster_id}", "-c", str(config)]
    return subprocess.run(tool, capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL)


def test_kafka_formats_its_data_with_the_settings_of_compose(tmp_path: Path) -> None:
    done = formatted(tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "data" / "meta.properties").exists()


@pytest.mark.parametrize(("setting", "value"), [("listeners", "HOST://:9092"), ("group.consumer.heartbeat.interval.ms", "soon")])
def test_a_setting_that_kafka_does_not_take_is_seen(tmp_path: Path, setting: str, value: str) -> None:
    done = formatted(tmp_path, **{setting: value})

    assert done.returncode != 0
