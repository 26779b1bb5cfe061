"""Metrics have closed labels, base units and a name for Prometheus."""

import inspect
import re
from collections.abc import Mapping

import pytest
from prometheus_client.parser import text_string_to_metric_families

from enact.errors import ErrorCode
from enact.kafka.statistics import StatisticsCollector, consumer_lag
from enact.metrics import CallResult, ClaimResult, Metrics, Result
from enact.records.enums import ErrorClass, ParkReason
from tests.architecture.tree import ROOT


def samples(metrics: Metrics) -> Mapping[tuple[str, frozenset[tuple[str, str]]], float]:
    families = text_string_to_metric_families(metrics.exposition().decode())
    return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}


def value(metrics: Metrics, name: str, **labels: str) -> float:
    return samples(metrics)[(name, frozenset({"stage": "invocation", **labels}.items()))]


def test_the_loop_reports_to_the_metrics() -> None:
    metrics = Metrics("invocation")

    metrics.took(7)
    metrics.took(0)
    metrics.ended("enact.tool-calls.v1", "ok")
    metrics.ended("enact.tool-calls.v1", "dead_letter")
    metrics.flushed(0.004)
    metrics.rewound()
    metrics.restoring(12)

    assert value(metrics, "enact_records_total", result="ok") == 1
    assert value(metrics, "enact_records_total", result="dead_letter") == 1
    assert value(metrics, "enact_batch_records_count") == 1
    assert value(metrics, "enact_batch_records_sum") == 7
    assert value(metrics, "enact_flush_seconds_bucket", le="0.005") == 1
    assert value(metrics, "enact_rewinds_total") == 1
    assert value(metrics, "enact_restore_remaining_records") == 12


def test_a_word_outside_the_set_is_refused() -> None:
    with pytest.raises(ValueError, match="tenant-7"):
        Metrics("invocation").ended("t", "tenant-7")


def test_every_series_exists_from_the_start_so_that_a_rate_never_misses_the_first_one() -> None:
    metrics = Metrics("invocation", connectors=("crm",))

    for result in Result:
        assert value(metrics, "enact_records_total", result=result.value) == 0
    for claim in ClaimResult:
        assert value(metrics, "enact_claims_total", result=claim.value) == 0
    for code in ErrorCode:
        assert value(metrics, "enact_dead_letters_total", code=code.value) == 0
    for reason in ParkReason:
        assert value(metrics, "enact_held", reason=reason.value) == 0


def test_calls_are_counted_by_connector_and_closed_words() -> None:
    metrics = Metrics("invocation", connectors=("crm", "internal"))

    metrics.calls["crm", CallResult.UNKNOWN].inc()
    metrics.call_errors["crm", ErrorClass.TIMEOUT].inc()
    metrics.call_s["internal"].observe(0.02)

    assert value(metrics, "enact_calls_total", connector="crm", result="unknown") == 1
    assert value(metrics, "enact_call_errors_total", connector="crm", error_class="TIMEOUT") == 1
    assert value(metrics, "enact_call_seconds_count", connector="internal") == 1
    assert not {"other"} & set(metrics.call_s)


def test_names_are_prometheus_names_with_base_units() -> None:
    families = list(text_string_to_metric_families(Metrics("invocation", connectors=("crm",)).exposition().decode()))
    ours = [family for family in families if family.name.startswith("enact_")]

    assert len(ours) > 25
    for family in ours:
        assert re.fullmatch(r"enact_[a-z_]+", family.name)
        assert not re.search(r"_(ms|milliseconds|minutes|kb)$", family.name)
        assert family.documentation.endswith(".")


def test_two_processes_in_one_test_do_not_share_a_registry() -> None:
    first, second = Metrics("invocation"), Metrics("invocation")

    first.retries.inc()

    assert value(first, "enact_retries_total") == 1
    assert value(second, "enact_retries_total") == 0


def test_lag_is_summed_over_fetched_partitions_and_unknown_lag_counts_nothing() -> None:
    partitions = {
        "0": {"consumer_lag": 5, "fetch_state": "active"},
        "1": {"consumer_lag": -1, "fetch_state": "active"},
        "2": {"consumer_lag": 900, "fetch_state": "none"},
        "-1": {"consumer_lag": 1000, "fetch_state": "active"},
    }
    metrics = Metrics("invocation")

    assert consumer_lag({"topics": {"t": {"partitions": partitions}, "u": {"partitions": {"0": {"consumer_lag": 2}}}}}) == 7
    StatisticsCollector(metrics).collect('{"topics": {"t": {"partitions": {"0": {"consumer_lag": 3, "fetch_state": "active"}}}}}')
    assert value(metrics, "enact_consumer_lag_records") == 3


def test_what_is_declared_is_fed_somewhere() -> None:
    declared = set(re.findall(r"self\.([a-z][a-z_]*)(?:: [^=]+)? = ", inspect.getsource(Metrics))) - {"registry"}
    code = "\n".join(path.read_text() for root in ("enact", "services") for path in (ROOT / root).rglob("*.py"))

    unfed = {name for name in declared if not re.search(rf"\.{name}(\.(inc|set|observe)\(|\[)", code)}

    assert len(declared) > 20
    assert unfed == set()
