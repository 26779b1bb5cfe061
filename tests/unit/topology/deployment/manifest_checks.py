"""What may be wrong with the Kubernetes manifests beyond their schema, as functions that return findings."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from enact.settings import KernelSettings
from tests.unit.topology.deployment.facts import command_faults, health_paths, longest_timeout_s, variable_faults
from tests.unit.topology.deployment.image import image
from topology.deployment.workload import API_PORT, HEALTH_PORT, USER_ID
from topology.spec import Sizing, topic_specs
from topology.stages import RUNNING_STAGES, hyphenated

Manifest = Mapping[str, Any]
STAGE_OF = {hyphenated(stage): stage for stage in RUNNING_STAGES}
PORTS = {"health": HEALTH_PORT, "http": API_PORT}
PROBES = {"startupProbe": "/startupz", "readinessProbe": "/readyz", "livenessProbe": "/livez"}
SAFE = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


def manifest_faults(manifests: Sequence[Manifest]) -> list[str]:
    """Everything that is wrong, with the kind and name of where it is."""
    found = [f"{one['kind']} {one['metadata']['name']}: {fault}" for one in manifests for fault in _faults(one, manifests)]
    controllers = {one["metadata"]["name"] for one in manifests if one["kind"] in {"StatefulSet", "Deployment"}}
    return found + [f"{stage} has no manifest" for stage in sorted(set(STAGE_OF) - controllers)]


def _faults(one: Manifest, manifests: Sequence[Manifest]) -> Iterator[str]:
    name = one["metadata"]["name"]
    match one["kind"]:
        case "StatefulSet" | "Deployment":
            yield from _stage_faults(name, one["spec"], manifests)
        case "Job":
            yield from _pod_faults(None, one["spec"]["template"]["spec"], (), manifests)
        case "Service":
            yield from _service_faults(one["spec"], manifests)
        case "ConfigMap":
            yield from variable_faults(None, one["data"])


def _stage_faults(name: str, spec: Manifest, manifests: Sequence[Manifest]) -> Iterator[str]:
    stage, pod = STAGE_OF.get(name), spec["template"]["spec"]
    container = pod["containers"][0]
    if stage is None or container["name"] != name or container["command"] != ["python", "-m", f"services.{stage}"]:
        yield "is not called as the stage that it runs"
    if not spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items():
        yield "does not select its own pods"
    if pod["terminationGracePeriodSeconds"] <= max(longest_timeout_s(), KernelSettings.model_fields["shutdown_timeout_s"].default):
        yield "is ended before its calls and its own shutdown"
    if spec["template"]["metadata"]["annotations"]["prometheus.io/port"] != str(HEALTH_PORT):
        yield "is scraped where it does not listen"
    for probe, path in PROBES.items():
        asked = container[probe]["httpGet"]
        if asked["path"] != path or path not in health_paths():
            yield f"{probe} asks {asked['path']}"
        if asked["port"] != "health":
            yield f"{probe} asks the port {asked['port']}"
    claims = [claim["metadata"]["name"] for claim in spec.get("volumeClaimTemplates", [])]
    yield from _pod_faults(stage, pod, claims, manifests)


def _pod_faults(stage: str | None, pod: Manifest, claims: Sequence[str], manifests: Sequence[Manifest]) -> Iterator[str]:
    context = pod["securityContext"]
    if not context.get("runAsNonRoot") or context.get("runAsUser") != USER_ID or context["seccompProfile"] != {"type": "RuntimeDefault"}:
        yield "does not run as the image's own user"
    if pod.get("automountServiceAccountToken") is not False:
        yield "sees a token of the cluster"
    volumes = {volume["name"] for volume in pod["volumes"]} | set(claims)
    maps = {one["metadata"]["name"] for one in manifests if one["kind"] == "ConfigMap"}
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        yield from command_faults(container["command"])
        yield from variable_faults(stage, {one["name"]: one["value"] for one in container.get("env", [])})
        yield from (f"reads the ConfigMap {one}" for source in container["envFrom"] if (one := source["configMapRef"]["name"]) not in maps)
        if container["securityContext"] != SAFE:
            yield "has rights that it does not need"
        if "memory" not in container["resources"].get("limits", {}) or not container["resources"].get("requests"):
            yield "says not what it needs"
        for mount in container["volumeMounts"]:
            if mount["name"] not in volumes:
                yield f"mounts {mount['name']}, which is no volume"
            if mount["mountPath"] not in {*image().folders, "/tmp"}:
                yield f"mounts at {mount['mountPath']}, where nobody looks"
        for port in container.get("ports", []):
            if PORTS.get(port["name"]) != port["containerPort"]:
                yield f"calls {port['containerPort']} {port['name']}"


def _service_faults(spec: Manifest, manifests: Sequence[Manifest]) -> Iterator[str]:
    templates = [one["spec"]["template"] for one in manifests if one["kind"] in {"StatefulSet", "Deployment"}]
    selected = [template for template in templates if spec["selector"].items() <= template["metadata"]["labels"].items()]
    if len(selected) != 1:
        yield f"selects the pods of {len(selected)} stages"
        return
    listening = {port["name"]: port["containerPort"] for port in selected[0]["spec"]["containers"][0]["ports"]}
    for port in spec["ports"]:
        if listening.get(port["targetPort"]) != port["port"]:
            yield f"leads {port['port']} to {port['targetPort']}"


def topic_faults(topics: Sequence[Manifest]) -> list[str]:
    """KafkaTopics are no kind of Kubernetes' own: the fields that are used, by Strimzi's definition of v1."""
    known = {spec.name: spec for spec in topic_specs(Sizing())}
    found = []
    for topic in topics:
        name, spec = topic["metadata"]["name"], topic["spec"]
        shape = (topic["apiVersion"], topic["kind"], set(topic), set(topic["metadata"]), set(spec))
        if shape != (
            "kafka.strimzi.io/v1",
            "KafkaTopic",
            {"apiVersion", "kind", "metadata", "spec"},
            {"name", "labels"},
            {"topicName", "partitions", "replicas", "config"},
        ):
            found.append(f"{name}: has not the fields of a KafkaTopic")
            continue
        if SUBDOMAIN.fullmatch(name) is None or len(name) > 253:
            found.append(f"{name}: is no name in Kubernetes")
        if "strimzi.io/cluster" not in topic["metadata"]["labels"]:
            found.append(f"{name}: belongs to no cluster")
        declared = known.get(spec["topicName"])
        if declared is None:
            found.append(f"{name}: {spec['topicName']} is no declared topic")
        elif (spec["partitions"], spec["replicas"], spec["config"]) != (
            declared.partition_count,
            declared.replication_factor,
            dict(declared.configs),
        ):
            found.append(f"{name}: is not as declared")
    return found + [f"{name} is missing" for name in sorted(known.keys() - {topic["spec"].get("topicName") for topic in topics})]
