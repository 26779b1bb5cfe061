"""What may be wrong with a compose file, as functions of the parsed file that return findings."""

import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from enact.broker.server_config import node_settings
from tests.architecture.tree import ROOT
from tests.unit.topology.deployment.facts import command_faults, variable_faults
from tests.unit.topology.deployment.image import Image, image
from topology.deployment.compose import BROKER, broker_variables
from topology.stages import RUNNING_STAGES, hyphenated

Compose = Mapping[str, Any]
OUTSIDE_PORTS = {"prometheus": {9090}, "grafana": {3000}}
OUTSIDE_FOLDERS = {
    BROKER: {"/var/lib/kafka/data"},
    "prometheus": {"/etc/prometheus/prometheus.yml", "/prometheus"},
    "grafana": {"/etc/grafana/provisioning", "/var/lib/grafana/dashboards"},
}
GRAFANA = {"GF_AUTH_ANONYMOUS_ENABLED", "GF_AUTH_ANONYMOUS_ORG_ROLE", "GF_AUTH_DISABLE_LOGIN_FORM"}
STAGE_OF = {hyphenated(stage): stage for stage in RUNNING_STAGES}


def compose_faults(compose: Compose) -> list[str]:
    """Everything that is wrong."""
    services = compose["services"]
    found = [f"{name}: {fault}" for name, service in services.items() for fault in _service_faults(name, service, compose)]
    found += [f"{stage} has no service" for stage in sorted(set(STAGE_OF) - set(services))]
    return found


def listening(name: str, service: Mapping[str, Any]) -> set[int]:
    """Where the processes of this container listen, by what their image and command say."""
    if name == BROKER:
        return {int(port) for port in re.findall(r":(\d+)", service["environment"]["KAFKA_LISTENERS"])}
    if name in OUTSIDE_PORTS:
        return OUTSIDE_PORTS[name]
    command = service["command"]
    if name in STAGE_OF:
        return {image().health_port} | ({8080} if name == "api" else set())
    return {int(command[command.index("--port") + 1])} if "--port" in command else set()


def _service_faults(name: str, service: Mapping[str, Any], compose: Compose) -> Iterator[str]:
    if name in OUTSIDE_FOLDERS:
        yield from _outside_faults(name, service)
    else:
        yield from command_faults(service["command"])
        yield from variable_faults(STAGE_OF.get(name), service.get("environment", {}))
        yield from _own_faults(name, service, image())
    yield from _port_faults(name, service)
    yield from _volume_faults(name, service, compose)
    yield from _address_faults(service, compose)
    yield from (f"waits for {other}, which is no service" for other in service.get("depends_on", {}) if other not in compose["services"])
    test = service.get("healthcheck", {}).get("test", [])
    if test[1:2] == ["python"]:
        yield from command_faults(test[1:])


def _own_faults(name: str, service: Mapping[str, Any], ours: Image) -> Iterator[str]:
    if name in STAGE_OF and service["command"] != ["python", "-m", f"services.{STAGE_OF[name]}"]:
        yield f"runs {shlex.join(service['command'])}"
    if name in STAGE_OF and "healthcheck" in service:
        yield "has a health check of its own: the image has one"
    if (
        not service.get("read_only")
        or service.get("cap_drop") != ["ALL"]
        or "no-new-privileges:true" not in service.get("security_opt", [])
    ):
        yield "has rights that it does not need"
    credentials = service.get("environment", {}).get("ENACT_CREDENTIALS_DIR")
    folders = {volume.split(":")[1] for volume in service.get("volumes", [])}
    if credentials is not None and credentials not in folders:
        yield f"reads credentials from {credentials}, where nothing is mounted"
    if name in STAGE_OF and ours.data_dir not in folders:
        yield f"keeps its data outside {ours.data_dir}"


def _outside_faults(name: str, service: Mapping[str, Any]) -> Iterator[str]:
    given = service.get("environment", {})
    if name == BROKER:
        expected = broker_variables()
        yield from (f"{variable} is no setting of the broker" for variable in given if variable not in expected)
        for setting, value in node_settings().items():
            variable = f"KAFKA_{setting.upper().replace('.', '_')}"
            if given.get(variable) != value:
                yield f"{variable} is {given.get(variable)}, with the embedded broker {value}"
    else:
        yield from (f"{variable} is not known" for variable in given if variable not in GRAFANA)


def _port_faults(name: str, service: Mapping[str, Any]) -> Iterator[str]:
    for published in service.get("ports", []):
        host, _, inside = published.rpartition(":")
        if not host.startswith("127.0.0.1:"):
            yield f"publishes {published} beyond this machine"
        if int(inside) not in listening(name, service):
            yield f"publishes {inside}, where it does not listen"
    for url_port in re.findall(r"127\.0\.0\.1:(\d+)", " ".join(map(str, service.get("healthcheck", {}).get("test", [])))):
        if int(url_port) not in listening(name, service):
            yield f"asks its health at {url_port}, where it does not listen"


def _volume_faults(name: str, service: Mapping[str, Any], compose: Compose) -> Iterator[str]:
    allowed = OUTSIDE_FOLDERS.get(name) or set(image().folders)
    for volume in service.get("volumes", []):
        source, target = volume.split(":")[:2]
        if source.startswith("."):
            if not (ROOT / source).exists():
                yield f"mounts {source}, which is not in the tree"
        elif source not in compose["volumes"]:
            yield f"mounts the volume {source}, which is not declared"
        if target not in allowed:
            yield f"mounts at {target}, where nobody looks"


def _address_faults(service: Mapping[str, Any], compose: Compose) -> Iterator[str]:
    """host:port of another service, in variables and arguments."""
    text = " ".join([*map(str, service.get("environment", {}).values()), *service.get("command", [])])
    for host, port in re.findall(r"(?<![\w.])([a-z][a-z-]*):(\d+)", text):
        other = compose["services"].get(host)
        if other is None:
            yield f"speaks to {host}, which is no service"
        elif int(port) not in listening(host, other):
            yield f"speaks to {host}:{port}, where nobody listens"
