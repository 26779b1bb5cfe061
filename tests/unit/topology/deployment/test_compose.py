"""docker-compose.yml agrees with the code; and whatever would not, is caught."""

import copy
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from connectors.sandbox.tenants import PRACTICE_TENANTS
from tests.unit.topology.deployment.compose_checks import compose_faults
from tests.unit.topology.deployment.facts import yaml_of
from topology.deployment.compose import PATH

Services = dict[str, Any]


def test_every_command_port_variable_and_folder_of_the_compose_file_exists() -> None:
    assert compose_faults(yaml_of(PATH)) == []


def test_the_topics_come_before_the_registry_and_both_before_every_stage() -> None:
    services = yaml_of(PATH)["services"]

    assert services["topics"]["depends_on"] == {"broker": {"condition": "service_healthy"}}
    assert services["registry"]["depends_on"] == {"topics": {"condition": "service_completed_successfully"}}
    stages = [service for service in services.values() if service.get("command", [""] * 3)[2].startswith("services.")]
    assert len(stages) >= 5
    assert all(stage["depends_on"]["registry"] == {"condition": "service_completed_successfully"} for stage in stages)


def test_the_sandbox_has_an_account_for_everybody_who_gets_credentials() -> None:
    command = yaml_of(PATH)["services"]["sandbox"]["command"]

    assert tuple(after for option, after in pairwise(command) if option == "--account") == PRACTICE_TENANTS


@pytest.mark.parametrize(
    ("plant", "fault"),
    [
        (lambda s: s["topics"].update(command=["enact", "topics", "aply"]), "topics: enact topics aply"),
        (lambda s: s["topics"]["command"].append("--copies"), "topics: enact topics apply"),
        (lambda s: s["topics"].update(command=["enact", "topics", "apply", "--partitions", "many"]), "topics: enact topics apply"),
        (lambda s: s["sandbox"]["command"].append("--listen"), "sandbox: "),
        (lambda s: s["recording"].update(command=["python", "-m", "services.recoding"]), "recording: services.recoding is no stage"),
        (lambda s: s["recording"].update(command=["python", "-m", "services.api"]), "recording: runs"),
        (lambda s: s["invocation"]["environment"].update(ENACT_CREDENTIAL_DIR="/x"), "invocation: ENACT_CREDENTIAL_DIR is no setting"),
        (
            lambda s: s["recording"]["environment"].update(ENACT_INVOCATION__WINDOW="9"),
            "recording: ENACT_INVOCATION__WINDOW is no setting of recording",
        ),
        (lambda s: s["api"].update(ports=["127.0.0.1:8081:8081"]), "api: publishes 8081"),
        (lambda s: s["api"].update(ports=["8080:8080"]), "api: publishes 8080:8080 beyond this machine"),
        (lambda s: s["broker"].update(ports=["127.0.0.1:9093:9093"]), "broker: publishes 9093"),
        (lambda s: s["api"]["environment"].update(ENACT_KAFKA__BOOTSTRAP_SERVERS="broker:9999"), "api: speaks to broker:9999"),
        (lambda s: s["api"]["environment"].update(ENACT_KAFKA__BOOTSTRAP_SERVERS="kafka:9092"), "api: speaks to kafka, which"),
        (lambda s: s["api"].update(volumes=["api-data:/data"]), "api: mounts at /data"),
        (lambda s: s["api"].update(volumes=["apis:/var/lib/enact"]), "api: mounts the volume apis"),
        (
            lambda s: s["prometheus"].update(volumes=["./deploy/prom.yml:/etc/prometheus/prometheus.yml"]),
            "prometheus: mounts ./dep",
        ),
        (lambda s: s["invocation"].update(volumes=["invocation-data:/var/lib/enact"]), "invocation: reads credentials from"),
        (lambda s: s["broker"]["environment"].update(KAFKA_GROUP_CONSUMER_SESSION_TIMEOUT_MS="45000"), "broker: KAFKA_GROUP_CONSUMER_SESS"),
        (lambda s: s["broker"]["environment"].update(KAFKA_SESION="1"), "broker: KAFKA_SESION is no setting"),
        (lambda s: s["grafana"]["environment"].update(GF_ANONYMOUS="1"), "grafana: GF_ANONYMOUS is not known"),
        (lambda s: s["sandbox"]["healthcheck"]["test"].append("http://127.0.0.1:1/"), "sandbox: asks its health at 1"),
        (lambda s: s["api"].update(read_only=False), "api: has rights"),
        (lambda s: s["api"]["depends_on"].update(kafka={}), "api: waits for kafka"),
        (lambda s: s.pop("tool-mapping"), "tool-mapping has no service"),
    ],
)
def test_a_wrong_command_port_variable_or_folder_is_caught(plant: Callable[[Services], object], fault: str) -> None:
    broken = copy.deepcopy(yaml_of(PATH))
    plant(broken["services"])

    found = compose_faults(broken)

    assert any(one.startswith(fault) for one in found), found
