"""Prometheus asks every stage, at the port and path where it answers."""

import copy
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.topology.deployment.facts import health_paths, yaml_of, yamls_of
from topology.deployment import kubernetes, scrape
from topology.deployment.workload import HEALTH_PORT
from topology.stages import RUNNING_STAGES, hyphenated

POD = "__meta_kubernetes_pod_"


def compose_faults(config: Any) -> list[str]:
    """What would not be scraped in compose."""
    (job,) = config["scrape_configs"]
    (found,) = job["dns_sd_configs"]
    services = set(yaml_of("docker-compose.yml")["services"])
    faults = [f"{name} is not asked" for name in map(hyphenated, RUNNING_STAGES) if name not in found["names"]]
    faults += [f"{name} is no service" for name in found["names"] if name not in services]
    faults += [f"port {found['port']}"] if found["port"] != HEALTH_PORT else []
    return faults + ([f"path {job['metrics_path']}"] if job["metrics_path"] not in health_paths() else [])


def kubernetes_faults(config: Any) -> list[str]:
    """What would not be scraped in Kubernetes: each pod's labels and ports go through the rules as Prometheus applies them."""
    (job,) = config["scrape_configs"]
    faults = []
    for stage in map(hyphenated, RUNNING_STAGES):
        shared = yaml_of(f"{kubernetes.BASE}/kustomization.yaml")
        (controller,) = [one for one in yamls_of(f"{kubernetes.BASE}/{stage}.yaml") if one["kind"] != "Service"]
        labels = {**controller["spec"]["template"]["metadata"]["labels"], **shared["labels"][0]["pairs"]}
        seen = {f"{POD}label_{re.sub(r'[^a-zA-Z0-9_]', '_', name)}": value for name, value in labels.items()}
        ports = controller["spec"]["template"]["spec"]["containers"][0]["ports"]
        kept = [port["containerPort"] for port in ports if _is_kept({**seen, f"{POD}container_port_name": port["name"]}, job)]
        if kept != [HEALTH_PORT]:
            faults.append(f"{stage} is asked at {kept}")
        if shared["namespace"] not in job["kubernetes_sd_configs"][0]["namespaces"]["names"]:
            faults.append(f"{stage} is in a namespace that is not looked into")
    return faults


def _is_kept(labels: dict[str, str], job: Any) -> bool:
    rules = [rule for rule in job["relabel_configs"] if rule.get("action") == "keep"]
    return all(re.fullmatch(rule["regex"], ";".join(labels.get(one, "") for one in rule["source_labels"])) for rule in rules)


def test_every_stage_is_asked_in_compose() -> None:
    assert compose_faults(yaml_of(scrape.COMPOSE)) == []


def test_every_stage_is_asked_in_kubernetes() -> None:
    assert kubernetes_faults(yaml_of(scrape.KUBERNETES)) == []


@pytest.mark.parametrize(
    ("plant", "fault"),
    [
        (lambda job: job["dns_sd_configs"][0].update(port=9401), "port 9401"),
        (lambda job: job.update(metrics_path="/prometheus"), "path /prometheus"),
        (lambda job: job["dns_sd_configs"][0]["names"].remove("api"), "api is not asked"),
        (lambda job: job["dns_sd_configs"][0]["names"].append("apis"), "apis is no service"),
    ],
)
def test_a_wrong_port_path_or_name_is_caught(plant: Callable[[Any], object], fault: str) -> None:
    broken = copy.deepcopy(yaml_of(scrape.COMPOSE))
    plant(broken["scrape_configs"][0])

    assert compose_faults(broken) == [fault]


@pytest.mark.parametrize(
    ("plant", "fault"),
    [
        (lambda job: job["relabel_configs"][1].update(regex="metrics"), "api is asked at []"),
        (lambda job: job["relabel_configs"].pop(1), "api is asked at [9400, 8080]"),
        (lambda job: job["relabel_configs"][0].update(regex="enakt"), "api is asked at []"),
        (
            lambda job: job["kubernetes_sd_configs"][0]["namespaces"].update(names=["default"]),
            "api is in a namespace that is not looked into",
        ),
    ],
)
def test_a_wrong_rule_is_caught(plant: Callable[[Any], object], fault: str) -> None:
    broken = copy.deepcopy(yaml_of(scrape.KUBERNETES))
    plant(broken["scrape_configs"][0])

    assert fault in kubernetes_faults(broken)
