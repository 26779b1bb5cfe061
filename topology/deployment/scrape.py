"""What Prometheus asks: every stage's health port, found by name in compose and by label in Kubernetes."""

from collections.abc import Mapping
from typing import Any

from topology.deployment.kubernetes import NAMESPACE
from topology.deployment.workload import HEALTH, HEALTH_PORT, WORKLOADS
from topology.deployment.yaml_text import documents_of

COMPOSE = "deploy/prometheus/prometheus.yml"
KUBERNETES = "deploy/prometheus/kubernetes.yml"
JOB = "enact"
_POD = "__meta_kubernetes_pod"


def files() -> Mapping[str, str]:
    """Both configurations by path in the tree."""
    return {COMPOSE: documents_of([_scraping(_by_name())]), KUBERNETES: documents_of([_scraping(_by_label())])}


def _scraping(found: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"global": {"scrape_interval": "5s"}, "scrape_configs": [{"job_name": JOB, "metrics_path": "/metrics", **found}]}


def _by_name() -> Mapping[str, Any]:
    """Names are asked again and again, so that `docker compose up --scale` is seen."""
    names = [workload.name for workload in WORKLOADS]
    return {"dns_sd_configs": [{"names": names, "type": "A", "port": HEALTH_PORT, "refresh_interval": "5s"}]}


def _by_label() -> Mapping[str, Any]:
    return {
        "kubernetes_sd_configs": [{"role": "pod", "namespaces": {"names": [NAMESPACE]}}],
        "relabel_configs": [
            {"source_labels": [f"{_POD}_label_app_kubernetes_io_part_of"], "regex": "enact", "action": "keep"},
            {"source_labels": [f"{_POD}_container_port_name"], "regex": HEALTH, "action": "keep"},
            {"source_labels": [f"{_POD}_name"], "target_label": "pod"},
        ],
    }
