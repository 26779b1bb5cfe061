"""docker-compose.yml: everything on one machine in containers, with the same broker settings as the embedded one."""

from collections.abc import Mapping
from textwrap import indent
from typing import Any

from enact.broker.server_config import node_settings
from topology.deployment.workload import (
    APPROVAL,
    APPROVAL_DIR,
    BOOTSTRAP_SERVERS,
    CREDENTIALS,
    CREDENTIALS_DIR,
    DATA_DIR,
    GRACE_S,
    IMAGE,
    LIVE,
    LOG_LEVEL,
    OUTBOUND_ALLOW,
    PROFILE,
    WORKLOADS,
    Workload,
)
from topology.deployment.yaml_text import RENDERED, fragment

PATH = "docker-compose.yml"
BROKER, SANDBOX = "broker", "sandbox"
BROKER_PORT, HOST_PORT, CONTROLLER_PORT, SANDBOX_PORT = 19092, 9092, 29093, 8090
PROMETHEUS_PORT, GRAFANA_PORT = 9090, 3000
APPROVAL_FOLDER = "deploy/approval"
PARTITIONS = 12
PRACTICE_TENANTS = ("acme", "globex", "initech")
"""As the sandbox has them."""
BROKER_DATA = "/var/lib/kafka/data"

_Service = dict[str, Any]

_HEAD = """#
#   docker compose up --build        everything, with a CRM to practise on; Ctrl-C stops it
#   docker compose down --volumes    and forget what was done
#
# api http://127.0.0.1:8080 · Grafana http://127.0.0.1:3000 · Prometheus http://127.0.0.1:9090 · sandbox http://127.0.0.1:8090 ·
# broker 127.0.0.1:9092. For practice: one broker, one copy of everything, no passwords, reached from this machine only.

"""


def text() -> str:
    """The whole file."""
    services = [
        ("One KRaft node; its settings are those of the broker that `enact up` starts.", BROKER, _broker()),
        ("Both run once and end; running them again changes nothing.", "topics", _topics()),
        ("", "registry", _registry()),
        ("A CRM to practise on. It writes what its tenants log in with into the volume `credentials`.", SANDBOX, _sandbox()),
        *(("The stages, in the order a record meets them." * (not n), one.name, _stage(one)) for n, one in enumerate(WORKLOADS)),
        ("What to look at.", "prometheus", _prometheus()),
        ("", "grafana", _grafana()),
    ]
    blocks = [indent((f"# {comment}\n" if comment else "") + fragment({name: body}), "  ") for comment, name, body in services]
    stateful = [BROKER, SANDBOX, *(one.name for one in WORKLOADS), "prometheus"]
    volumes = fragment({"volumes": {"credentials": None, **{f"{name}-data": None for name in stateful}}}).replace(": null", ":")
    return f"{RENDERED}{_HEAD}name: enact\n\nservices:\n" + "\n".join(blocks) + "\n" + volumes


def broker_variables() -> Mapping[str, str]:
    """The embedded node's settings as the image wants them: `log.dirs` becomes KAFKA_LOG_DIRS."""
    listeners = {"CONTROLLER": f"://:{CONTROLLER_PORT}", "PLAINTEXT": f"://:{BROKER_PORT}", "HOST": f"://:{HOST_PORT}"}
    places = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{BROKER}:{CONTROLLER_PORT}",
        "listeners": ",".join(name + where for name, where in listeners.items()),
        "advertised.listeners": f"PLAINTEXT://{BROKER}:{BROKER_PORT},HOST://127.0.0.1:{HOST_PORT}",
        "listener.security.protocol.map": ",".join(f"{name}:PLAINTEXT" for name in listeners),
        "inter.broker.listener.name": "PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": BROKER_DATA,
    }
    settings = {**places, **node_settings()}
    return {
        "CLUSTER_ID": "ZW5hY3QtY29tcG9zZS0wMQ",
        **{f"KAFKA_{name.upper().replace('.', '_')}": value for name, value in settings.items()},
    }


def _broker() -> _Service:
    return {
        "image": "apache/kafka:4.3.1",
        "environment": dict(broker_variables()),
        "ports": [_published(HOST_PORT)],
        "volumes": [f"{BROKER}-data:{BROKER_DATA}"],
        "healthcheck": {
            "test": ["CMD", "/opt/kafka/bin/kafka-broker-api-versions.sh", "--bootstrap-server", f"{BROKER}:{BROKER_PORT}"],
            "interval": "10s",
            "timeout": "10s",
            "retries": 12,
            "start_period": "10s",
        },
        "restart": "unless-stopped",
    }


def _ours(*command: str, after: Mapping[str, str], variables: Mapping[str, str | None] | None = None) -> _Service:
    """A container of our image: read-only, without privileges."""
    return {
        "image": IMAGE,
        "build": ".",
        "command": list(command),
        "environment": {BOOTSTRAP_SERVERS: f"{BROKER}:{BROKER_PORT}", LOG_LEVEL: "info", **(variables or {})},
        "depends_on": {name: {"condition": condition} for name, condition in after.items()},
        "read_only": True,
        "tmpfs": ["/tmp"],  # noqa: S108 - the container's own
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
    }


def _topics() -> _Service:
    sizing = ("--partitions", str(PARTITIONS), "--replication-factor", "1")
    return {**_ours("enact", "topics", "apply", *sizing, after={BROKER: "service_healthy"}), "healthcheck": {"disable": True}}


def _registry() -> _Service:
    after = {"topics": "service_completed_successfully"}
    return {**_ours("enact", "registry", "apply", "--sandbox", after=after), "healthcheck": {"disable": True}}


def _sandbox() -> _Service:
    data, url = f"{DATA_DIR}/{SANDBOX}", f"http://{SANDBOX}:{SANDBOX_PORT}"
    where = ("--host", "0.0.0.0", "--port", str(SANDBOX_PORT), "--data-dir", data)  # noqa: S104 - inside the containers' network
    written = ("--credentials-dir", CREDENTIALS_DIR, "--base-url", url)
    accounts = (part for tenant in PRACTICE_TENANTS for part in ("--account", tenant))
    service = _ours("python", "-m", "connectors.sandbox", *where, *written, *accounts, after={})
    del service["depends_on"], service["environment"]
    return {
        **service,
        "ports": [_published(SANDBOX_PORT)],
        "volumes": [f"{SANDBOX}-data:{DATA_DIR}", f"credentials:{CREDENTIALS_DIR}"],
        "healthcheck": _asks(SANDBOX_PORT, LIVE),
        "restart": "unless-stopped",
    }


def _stage(workload: Workload) -> _Service:
    """A variable without a value is handed on from the shell that starts compose, if it is set there."""
    after, volumes = {"registry": "service_completed_successfully"}, [f"{workload.name}-data:{DATA_DIR}"]
    variables: dict[str, str | None] = {}
    if workload.sees_credentials:
        after[SANDBOX] = "service_healthy"
        variables = {CREDENTIALS: CREDENTIALS_DIR, OUTBOUND_ALLOW: f"{SANDBOX}:{SANDBOX_PORT}"}
        volumes.append(f"credentials:{CREDENTIALS_DIR}:ro")
    if workload.checks_approvals:
        variables |= dict.fromkeys((PROFILE, *APPROVAL))
        volumes.append(f"./{APPROVAL_FOLDER}:{APPROVAL_DIR}:ro")
    return {
        **_ours(*workload.command, after=after, variables=variables),
        **({"ports": [_published(workload.ports["http"])]} if workload.answers else {}),
        "volumes": volumes,
        "stop_grace_period": f"{GRACE_S}s",
        "restart": "unless-stopped",
    }


def _prometheus() -> _Service:
    return {
        "image": "prom/prometheus:v3.5.0",
        "ports": [_published(PROMETHEUS_PORT)],
        "volumes": ["./deploy/prometheus/prometheus.yml:/etc/prometheus/prometheus.yml:ro", "prometheus-data:/prometheus"],
        "restart": "unless-stopped",
    }


def _grafana() -> _Service:
    return {
        "image": "grafana/grafana:12.1.0",
        "environment": {"GF_AUTH_ANONYMOUS_ENABLED": "true", "GF_AUTH_ANONYMOUS_ORG_ROLE": "Viewer", "GF_AUTH_DISABLE_LOGIN_FORM": "true"},
        "ports": [_published(GRAFANA_PORT)],
        "volumes": [
            "./deploy/grafana/provisioning:/etc/grafana/provisioning:ro",
            "./deploy/grafana/dashboards:/var/lib/grafana/dashboards:ro",
        ],
        "depends_on": {"prometheus": {"condition": "service_started"}},
        "restart": "unless-stopped",
    }


def _published(port: int) -> str:
    return f"127.0.0.1:{port}:{port}"


def _asks(port: int, path: str) -> dict[str, Any]:
    code = f"import urllib.request as r; r.urlopen('http://127.0.0.1:{port}{path}', timeout=2)"
    return {"test": ["CMD", "python", "-c", code], "interval": "10s", "timeout": "5s", "retries": 3, "start_period": "10s"}
