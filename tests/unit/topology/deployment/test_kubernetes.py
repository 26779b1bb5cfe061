"""The Kubernetes files: valid by Kubernetes' own schemas, in agreement with the code; and whatever would not be, is caught."""

import copy
from collections.abc import Callable
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest

from tests.architecture.tree import ROOT
from tests.unit.topology.deployment.facts import yaml_of, yamls_of
from tests.unit.topology.deployment.manifest_checks import manifest_faults, topic_faults
from topology.deployment import kafka_topics, kubernetes
from topology.topics import TOPICS

VERSIONS = ("1.32.0", kubernetes_validate.latest_version())

Named = dict[str, Any]


def manifests() -> list[Any]:
    return [one for name in yaml_of(f"{kubernetes.BASE}/kustomization.yaml")["resources"] for one in yamls_of(f"{kubernetes.BASE}/{name}")]


def topics() -> list[Any]:
    return yamls_of(f"{kafka_topics.FOLDER}/topics.yaml")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("manifest", manifests(), ids=lambda one: f"{one['kind']}-{one['metadata']['name']}")
def test_every_manifest_is_valid_by_the_schema_of_kubernetes(manifest: Any, version: str) -> None:
    kubernetes_validate.validate(manifest, version, strict=True)


def test_every_command_port_variable_probe_and_folder_of_the_manifests_exists() -> None:
    assert manifest_faults(manifests()) == []


def test_every_topic_is_there_as_declared() -> None:
    assert topic_faults(topics()) == []
    assert len(topics()) == len(TOPICS)


@pytest.mark.parametrize("folder", [kubernetes.BASE, kafka_topics.FOLDER])
def test_a_kustomization_names_every_file_of_its_folder(folder: str) -> None:
    kustomization = yaml_of(f"{folder}/kustomization.yaml")
    files = {path.name for path in (ROOT / folder).iterdir()} - {"kustomization.yaml"}

    assert set(kustomization["resources"]) == files
    assert kustomization["kind"] in {"Kustomization", "Component"}


def test_what_a_schema_forbids_is_caught() -> None:
    broken = copy.deepcopy(manifests()[-1])
    broken["spec"]["replica"] = 2

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, VERSIONS[-1], strict=True)


def container_of(named: Named, name: str) -> Any:
    return named[name]["spec"]["template"]["spec"]["containers"][0]


@pytest.mark.parametrize(
    ("plant", "fault"),
    [
        (lambda n: container_of(n, "invocation").update(command=["python", "-m", "services.invoke"]), "services.invoke is no stage"),
        (
            lambda n: container_of(n, "recording").update(command=["python", "-m", "services.api"]),
            "is not called as the stage",
        ),
        (lambda n: container_of(n, "invocation")["env"][0].update(name="ENACT_CREDS"), "ENACT_CREDS is no setting of invocation"),
        (lambda n: n["enact"]["data"].update(ENACT_LOGLEVEL="info"), "ENACT_LOGLEVEL is no setting of any process"),
        (lambda n: container_of(n, "api")["ports"][0].update(containerPort=9401), "calls 9401 health"),
        (lambda n: container_of(n, "api")["livenessProbe"]["httpGet"].update(path="/health"), "livenessProbe asks /health"),
        (lambda n: container_of(n, "api")["livenessProbe"]["httpGet"].update(path="/readyz"), "livenessProbe asks /readyz"),
        (lambda n: container_of(n, "api")["readinessProbe"]["httpGet"].update(port="http"), "readinessProbe asks the port http"),
        (lambda n: container_of(n, "api")["volumeMounts"][0].update(mountPath="/data"), "mounts at /data"),
        (lambda n: container_of(n, "api")["volumeMounts"][0].update(name="date"), "mounts date, which is no volume"),
        (lambda n: container_of(n, "api")["securityContext"].update(readOnlyRootFilesystem=False), "has rights"),
        (lambda n: container_of(n, "api")["resources"].pop("limits"), "says not what it needs"),
        (lambda n: container_of(n, "api")["envFrom"][0]["configMapRef"].update(name="enakt"), "reads the ConfigMap enakt"),
        (lambda n: n["api"]["spec"]["template"]["spec"].update(terminationGracePeriodSeconds=30), "is ended before"),
        (lambda n: n["api"]["spec"]["template"]["spec"]["securityContext"].update(runAsUser=0), "does not run as the image's own user"),
        (lambda n: n["api"]["spec"]["selector"]["matchLabels"].update(app="x"), "does not select its own pods"),
        (lambda n: n["api-service"]["spec"]["ports"][0].update(port=9401), "leads 9401 to health"),
        (lambda n: n["api-service"]["spec"].update(selector={"app": "x"}), "selects the pods of 0 stages"),
        (lambda n: n["api"]["spec"]["template"]["metadata"]["annotations"].update({"prometheus.io/port": "9401"}), "is scraped where"),
    ],
)
def test_a_wrong_command_port_variable_probe_or_folder_is_caught(plant: Callable[[Named], object], fault: str) -> None:
    broken = copy.deepcopy(manifests())
    plant({one["metadata"]["name"] + ("-service" if one["kind"] == "Service" else ""): one for one in broken if one["kind"] != "Namespace"})

    found = [one.partition(": ")[2] for one in manifest_faults(broken)]

    assert any(one.startswith(fault) for one in found), found


def test_a_stage_without_a_manifest_is_caught() -> None:
    assert "api has no manifest" in manifest_faults([one for one in manifests() if one["metadata"]["name"] != "api"])


@pytest.mark.parametrize(
    ("plant", "fault"),
    [
        (lambda t: t["metadata"].update(name="Enact_intents"), "Enact_intents: is no name in Kubernetes"),
        (lambda t: t["spec"].update(partitions=6), "enact.intents.approved.v1: is not as declared"),
        (lambda t: t["spec"]["config"].update({"retention.ms": "1"}), "enact.intents.approved.v1: is not as declared"),
        (lambda t: t["spec"].update(topicName="enact.intents.aproved.v1"), "enact.intents.approved.v1 is missing"),
        (lambda t: t["spec"].update(replication=3), "enact.intents.approved.v1: has not the fields of a KafkaTopic"),
        (lambda t: t["metadata"].update(labels={}), "enact.intents.approved.v1: belongs to no cluster"),
    ],
)
def test_a_wrong_topic_is_caught(plant: Callable[[Any], object], fault: str) -> None:
    broken = copy.deepcopy(topics())
    plant(broken[0])

    assert fault in topic_faults(broken)
