"""Grafana's dashboard as JSON, from the panels' declarations, and what provisions it.

A renderer of our own: what it needs of Grafana's model is small, and the foundation SDK would become a dependency of the product.
"""

import json
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

from topology.deployment.compose import PROMETHEUS_PORT
from topology.deployment.panels import ROWS, Panel, Query, Row
from topology.deployment.yaml_text import documents_of

FOLDER = "deploy/grafana"
DASHBOARD = f"{FOLDER}/dashboards/enact.json"
SOURCE = {"type": "prometheus", "uid": "${source}"}
_WIDTH, _NUMBER_HEIGHT, _GRAPH_HEIGHT = 24, 4, 8

Json = dict[str, Any]


def files() -> Mapping[str, str]:
    """Dashboard and provisioning by path in the tree."""
    return {
        DASHBOARD: json.dumps(dashboard(), indent=2, ensure_ascii=False) + "\n",
        f"{FOLDER}/provisioning/datasources/prometheus.yml": documents_of([_data_source()]),
        f"{FOLDER}/provisioning/dashboards/enact.yml": documents_of([_provider()]),
    }


def dashboard() -> Json:
    """The whole dashboard."""
    return {
        "uid": "enact",
        "title": "enact",
        "description": "Rendered from topology/deployment/panels.py by `make render`.",
        "tags": ["enact"],
        "schemaVersion": 39,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [_source_variable(), _stage_variable()]},
        "panels": list(_panels()),
    }


def _panels() -> Iterator[Json]:
    numbers, y = count(1), 0
    for row in ROWS:
        yield {"id": next(numbers), "type": "row", "title": row.title, "collapsed": False, "panels": [], "gridPos": _place(0, y, _WIDTH, 1)}
        height, width = _height(row), _WIDTH // len(row.panels)
        for index, panel in enumerate(row.panels):
            yield _drawn(panel, next(numbers), _place(index * width, y + 1, width, height))
        y += 1 + height


def _height(row: Row) -> int:
    return _NUMBER_HEIGHT if all(panel.is_number for panel in row.panels) else _GRAPH_HEIGHT


def _place(x: int, y: int, width: int, height: int) -> Json:
    return {"x": x, "y": y, "w": width, "h": height}


def _drawn(panel: Panel, number: int, place: Json) -> Json:
    return {
        "id": number,
        "type": "stat" if panel.is_number else "timeseries",
        "title": panel.title,
        "description": panel.says,
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _options(panel),
        "targets": [_target(query, ref) for query, ref in zip(panel.queries, "ABCDEF", strict=False)],
    }


def _defaults(panel: Panel) -> Json:
    steps: list[Json] = [{"color": "green", "value": None}]
    if panel.alarm_at is not None:
        steps.append({"color": "red", "value": panel.alarm_at})
    lines = (
        {} if panel.is_number else {"custom": {"fillOpacity": 10, "showPoints": "never", "thresholdsStyle": {"mode": _threshold(panel)}}}
    )
    return {"unit": panel.unit, "min": 0, "thresholds": {"mode": "absolute", "steps": steps}, **lines}


def _threshold(panel: Panel) -> str:
    return "off" if panel.alarm_at is None else "line"


def _options(panel: Panel) -> Json:
    if panel.is_number:
        return {"colorMode": "background", "graphMode": "area", "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
    return {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True}, "tooltip": {"mode": "multi", "sort": "desc"}}


def _target(query: Query, ref: str) -> Json:
    return {"refId": ref, "datasource": SOURCE, "expr": query.expression, "legendFormat": query.legend, "range": True}


def _source_variable() -> Json:
    return {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}


def _stage_variable() -> Json:
    query = "label_values(enact_records_total, stage)"
    everything = {"text": "All", "value": "$__all"}
    return {
        "name": "stage",
        "label": "Stage",
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": query, "refId": "stage"},
        "definition": query,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": everything,
        "refresh": 2,
        "sort": 1,
    }


def _data_source() -> Json:
    source = {
        "name": "Prometheus",
        "uid": "prometheus",
        "type": "prometheus",
        "url": f"http://prometheus:{PROMETHEUS_PORT}",
        "isDefault": True,
    }
    return {"apiVersion": 1, "datasources": [{**source, "access": "proxy", "jsonData": {"timeInterval": "5s"}}]}


def _provider() -> Json:
    provider = {"name": "enact", "type": "file", "options": {"path": "/var/lib/grafana/dashboards"}}
    return {"apiVersion": 1, "providers": [provider]}
