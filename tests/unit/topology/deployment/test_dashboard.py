"""Grafana's dashboard shows what exists, every metric of ours is on it, and its pictures do not lie on each other."""

import re
from collections.abc import Mapping
from itertools import combinations
from typing import Any

import pytest

from tests.unit.topology.deployment.facts import series, yaml_of
from tests.unit.topology.deployment.promql import expression_faults, grouped_by, parsed, selectors
from topology.deployment.dashboard import DASHBOARD, FOLDER, dashboard

UNSEEN = {"enact_call_seconds", "enact_end_to_end_seconds"}
"""Seen by their buckets and counts."""


def panels() -> list[Mapping[str, Any]]:
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def targets() -> list[Mapping[str, Any]]:
    return [target for panel in panels() for target in panel["targets"]]


def family(name: str) -> str:
    return re.sub(r"_(bucket|count|sum|total|created)$", "", name)


@pytest.mark.parametrize("target", targets(), ids=lambda target: target["expr"][:60])
def test_every_expression_speaks_of_metrics_labels_and_values_that_exist(target: Mapping[str, Any]) -> None:
    assert list(expression_faults(target["expr"])) == []


@pytest.mark.parametrize("target", targets(), ids=lambda target: target["expr"][:60])
def test_a_line_is_named_by_labels_that_it_has(target: Mapping[str, Any]) -> None:
    named = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))

    assert named == grouped_by(parsed(target["expr"])) - {"le"}


def test_every_metric_of_ours_is_on_the_dashboard() -> None:
    declared = {family(name) for name in series() if name.startswith("enact_")}
    shown = {family(selector.name) for target in targets() for selector in selectors(parsed(target["expr"]))}

    assert declared - shown == set()


def test_no_panel_lies_on_another_one_or_outside() -> None:
    places = [panel["gridPos"] for panel in dashboard()["panels"]]

    assert all(place["x"] + place["w"] <= 24 for place in places)
    assert not [
        (one, other)
        for one, other in combinations(places, 2)
        if one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    ]


def test_ids_are_unique_and_every_panel_says_what_it_is_for() -> None:
    numbers = [panel["id"] for panel in dashboard()["panels"]]

    assert len(set(numbers)) == len(numbers)
    assert all(panel["description"].endswith(".") for panel in panels())
    assert len(panels()) > 20


def test_grafana_finds_dashboard_and_prometheus_where_compose_puts_them() -> None:
    compose = yaml_of("docker-compose.yml")
    mounted = dict(volume.split(":")[:2] for volume in compose["services"]["grafana"]["volumes"])
    provider = yaml_of(f"{FOLDER}/provisioning/dashboards/enact.yml")["providers"][0]
    source = yaml_of(f"{FOLDER}/provisioning/datasources/prometheus.yml")["datasources"][0]

    assert mounted[f"./{DASHBOARD.rpartition('/')[0]}"] == provider["options"]["path"]
    assert mounted[f"./{FOLDER}/provisioning"] == "/etc/grafana/provisioning"
    assert source["url"] == "http://prometheus:9090"
    assert "prometheus" in compose["services"]


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("sum(enact_in_dubio)", "enact_in_dubio is no metric"),
        ("enact_in_flight_total", "enact_in_flight_total is no metric"),
        ("sum by (tenant) (enact_held)", "enact_held has no label tenant"),
        ('sum(rate(enact_calls_total{connector="fax"}[1m]))', "enact_calls_total has no connector fax"),
        ('enact_held{why="x"}', "enact_held has no label why"),
    ],
)
def test_a_wrong_metric_label_or_value_is_caught(expression: str, fault: str) -> None:
    assert fault in list(expression_faults(expression))


@pytest.mark.parametrize("expression", ["sum(", "rate(enact_in_flight)", "sum by (stage) enact_held["])
def test_what_prometheus_would_not_take_is_caught(expression: str) -> None:
    assert list(expression_faults(expression))
