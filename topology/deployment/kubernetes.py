"""deploy/k8s/base: one manifest for each stage, what they share, and the job that prepares the cluster."""

from collections.abc import Mapping
from typing import Any

from topology.deployment.workload import (
    APPROVAL_DIR,
    BOOTSTRAP_SERVERS,
    CREDENTIALS,
    CREDENTIALS_DIR,
    DATA_DIR,
    EXECUTION_ENABLED,
    GRACE_S,
    HEALTH,
    HEALTH_PORT,
    IMAGE,
    LIVE,
    LOG_LEVEL,
    PROFILE,
    READY,
    STARTED,
    TOPIC_PREFIX,
    USER_ID,
    VERSION,
    WORKLOADS,
    Workload,
)
from topology.deployment.yaml_text import documents_of

BASE = "deploy/k8s/base"
NAMESPACE = "enact"
CONFIG = "enact"
CREDENTIALS_SECRET = "enact-credentials"  # noqa: S105 - the name of a Secret, not one
APPROVAL_KEYS = "enact-approval-keys"
CLUSTER_ADDRESS = "enact-kafka-bootstrap:9092"
STAGE_REPLICAS = 2
RESTORE_S = 600

Manifest = dict[str, Any]


def files() -> Mapping[str, str]:
    """Every file of the base by its path in the tree."""
    shared = {"namespace": _namespace(), "configmap": _config_map(), "prepare": _prepare()}
    written = {name: documents_of([manifest]) for name, manifest in shared.items()}
    written |= {workload.name: documents_of([_service(workload), _controller(workload)]) for workload in WORKLOADS}
    resources = [f"{name}.yaml" for name in written]
    return {f"{BASE}/{name}.yaml": text for name, text in {**written, "kustomization": documents_of([_kustomization(resources)])}.items()}


def _kustomization(resources: list[str]) -> Manifest:
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": NAMESPACE,
        "labels": [{"pairs": {"app.kubernetes.io/part-of": "enact"}, "includeTemplates": True}],
        "images": [{"name": IMAGE, "newTag": VERSION}],
        "resources": resources,
    }


def _namespace() -> Manifest:
    level = "restricted"
    labels = {f"pod-security.kubernetes.io/{mode}": level for mode in ("enforce", "audit", "warn")}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}}


def _config_map() -> Manifest:
    data = {
        BOOTSTRAP_SERVERS: CLUSTER_ADDRESS,
        TOPIC_PREFIX: "enact",
        PROFILE: "development",
        EXECUTION_ENABLED: "true",
        LOG_LEVEL: "info",
    }
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": CONFIG}, "data": data}


def _prepare() -> Manifest:
    """Topics, then the registry: both may run again at any time, and change nothing then."""
    pod = {
        **_pod(),
        "restartPolicy": "OnFailure",
        "initContainers": [_container("topics", ("enact", "topics", "apply"))],
        "containers": [_container("registry", ("enact", "registry", "apply"))],
        "volumes": [_TMP],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "prepare"},
        "spec": {"backoffLimit": 20, "ttlSecondsAfterFinished": 600, "template": {"metadata": _metadata("prepare"), "spec": pod}},
    }


def _service(workload: Workload) -> Manifest:
    """For the api an address to ask; for the others only names of their pods."""
    ports = [{"name": name, "port": port, "targetPort": name} for name, port in workload.ports.items()]
    headless = {} if workload.answers else {"clusterIP": "None", "publishNotReadyAddresses": True}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(workload.name),
        "spec": {**headless, "selector": _labels(workload.name), "ports": ports},
    }


def _controller(workload: Workload) -> Manifest:
    """A StatefulSet where the data folder is worth keeping, else a Deployment."""
    annotations = {"prometheus.io/scrape": "true", "prometheus.io/port": str(HEALTH_PORT), "prometheus.io/path": "/metrics"}
    template = {"metadata": {**_metadata(workload.name), "annotations": annotations}, "spec": _stage_pod(workload)}
    spec: Manifest = {
        "replicas": 1 if workload.answers else STAGE_REPLICAS,
        "selector": {"matchLabels": _labels(workload.name)},
        "template": template,
    }
    if workload.keeps_state:
        spec |= {"serviceName": workload.name, "podManagementPolicy": "Parallel", "volumeClaimTemplates": [_claim()]}
    kind = "StatefulSet" if workload.keeps_state else "Deployment"
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": _metadata(workload.name), "spec": spec}


def _stage_pod(workload: Workload) -> Manifest:
    container = {
        **_container(workload.name, workload.command),
        "ports": [{"name": name, "containerPort": port} for name, port in workload.ports.items()],
        "startupProbe": _probe(STARTED, every_s=5, failures=RESTORE_S // 5),
        "readinessProbe": _probe(READY, every_s=2, failures=2),
        "livenessProbe": _probe(LIVE, every_s=5, failures=3),
    }
    container["volumeMounts"].insert(0, {"name": "data", "mountPath": DATA_DIR})
    volumes = [_TMP] if workload.keeps_state else [{"name": "data", "emptyDir": {}}, _TMP]
    if workload.sees_credentials:
        container["env"] = [{"name": CREDENTIALS, "value": CREDENTIALS_DIR}]
        container["volumeMounts"].append({"name": "credentials", "mountPath": CREDENTIALS_DIR, "readOnly": True})
        volumes = [*volumes, {"name": "credentials", "secret": {"secretName": CREDENTIALS_SECRET, "optional": True}}]
    if workload.checks_approvals:
        container["volumeMounts"].append({"name": "approval", "mountPath": APPROVAL_DIR, "readOnly": True})
        volumes = [*volumes, {"name": "approval", "configMap": {"name": APPROVAL_KEYS, "optional": True}}]
    return {**_pod(), "terminationGracePeriodSeconds": GRACE_S, "containers": [container], "volumes": volumes}


def _pod() -> Manifest:
    ids = {"runAsUser": USER_ID, "runAsGroup": USER_ID, "fsGroup": USER_ID}
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {"runAsNonRoot": True, **ids, "seccompProfile": {"type": "RuntimeDefault"}},
    }


def _container(name: str, command: tuple[str, ...]) -> Manifest:
    return {
        "name": name,
        "image": IMAGE,
        "command": list(command),
        "envFrom": [{"configMapRef": {"name": CONFIG}}],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - the container's own
    }


def _probe(path: str, *, every_s: int, failures: int) -> Manifest:
    return {"httpGet": {"path": path, "port": HEALTH}, "periodSeconds": every_s, "timeoutSeconds": 2, "failureThreshold": failures}


def _claim() -> Manifest:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}}
    return {"metadata": {"name": "data"}, "spec": spec}


def _labels(name: str) -> Manifest:
    return {"app.kubernetes.io/name": name}


def _metadata(name: str) -> Manifest:
    return {"name": name, "labels": _labels(name)}


_TMP: Manifest = {"name": "tmp", "emptyDir": {}}
