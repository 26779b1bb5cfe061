"""The topics as Strimzi's operator wants them: one KafkaTopic for each, in a component that an overlay may use."""

from collections.abc import Mapping
from typing import Any

from topology.deployment.yaml_text import documents_of
from topology.spec import Sizing, TopicSpec, topic_specs

FOLDER = "deploy/k8s/components/strimzi"
CLUSTER = "enact"


def files(sizing: Sizing) -> Mapping[str, str]:
    """The component by path in the tree."""
    component = {"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component", "resources": ["topics.yaml"]}
    topics = [_topic(spec) for spec in topic_specs(sizing)]
    return {f"{FOLDER}/kustomization.yaml": documents_of([component]), f"{FOLDER}/topics.yaml": documents_of(topics)}


def _topic(spec: TopicSpec) -> dict[str, Any]:
    return {
        "apiVersion": "kafka.strimzi.io/v1",
        "kind": "KafkaTopic",
        "metadata": {"name": spec.name, "labels": {"strimzi.io/cluster": CLUSTER}},
        "spec": {
            "topicName": spec.name,
            "partitions": spec.partition_count,
            "replicas": spec.replication_factor,
            "config": dict(spec.configs),
        },
    }
