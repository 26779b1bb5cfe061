"""Three questions with three meanings, answered over HTTP on loopback."""

import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from enact.clock import ManualClock
from enact.errors import ConfigurationError
from enact.health import HealthServer, HealthState
from enact.metrics import Metrics
from enact.settings import HealthSettings
from enact.watchdog import MAX_SILENT_TICKS, ProgressWatchdog


def ready(state: HealthState) -> None:
    state.set_restored(True)
    state.set_assigned(True)


def test_readiness_names_everything_that_is_missing() -> None:
    state = HealthState(ManualClock())
    state.set_restored(False, "3 of 12 partitions")
    state.set_condition("switches are fresh", is_met=False)

    assert state.missing_to_be_ready() == [
        "state is not restored: 3 of 12 partitions",
        "partitions are not assigned",
        "not met: switches are fresh",
    ]
    assert state.missing_to_start() == ["state is not restored: 3 of 12 partitions"]


def test_ready_is_restored_assigned_fresh_and_not_stopping() -> None:
    state = HealthState(ManualClock())
    ready(state)
    state.set_condition("switches are fresh", is_met=True)
    assert state.missing_to_be_ready() == []

    state.set_stopping()

    assert state.missing_to_be_ready() == ["the process is stopping"]
    assert state.missing_to_start() == []


def test_ten_seconds_without_a_beat_are_the_end_of_life() -> None:
    clock = ManualClock()
    state = HealthState(clock)
    clock.advance(60)
    assert state.missing_to_live() == []

    state.beat()
    clock.advance(9.9)
    assert state.missing_to_live() == []
    clock.advance(0.2)
    assert state.missing_to_live() == ["no progress for 10 s"]
    state.beat()
    assert state.missing_to_live() == []


@pytest.fixture
def state() -> HealthState:
    return HealthState(ManualClock())


@pytest.fixture
def server(state: HealthState) -> Iterator[HealthServer]:
    made = HealthServer(HealthSettings(port=0), state, Metrics("validation"))
    made.start()
    yield made
    made.stop()


def get(server: HealthServer, path: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=5) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_the_routes_answer_with_what_is_missing(server: HealthServer, state: HealthState) -> None:
    assert get(server, "/livez")[0] == 200
    status, body = get(server, "/readyz")
    assert (status, json.loads(body)) == (503, {"ok": False, "missing": ["state is not restored", "partitions are not assigned"]})
    assert get(server, "/startupz")[0] == 503

    ready(state)

    assert get(server, "/readyz") == (200, b'{"ok": true, "missing": []}')
    assert get(server, "/startupz")[0] == 200
    assert get(server, "/nothing-here")[0] == 404


def test_metrics_are_served_as_prometheus_reads_them(server: HealthServer) -> None:
    status, body = get(server, "/metrics")

    assert status == 200
    assert b'enact_records_total{result="ok",stage="validation"} 0.0' in body


def test_only_loopback_listens_by_default(server: HealthServer) -> None:
    assert HealthSettings().host == "127.0.0.1"
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        assert connection.getpeername()[0] == "127.0.0.1"


def test_a_taken_port_is_explained(server: HealthServer, state: HealthState) -> None:
    second = HealthServer(HealthSettings(port=server.port), state, Metrics("validation"))

    with pytest.raises(ConfigurationError, match="ENACT_HEALTH__PORT"):
        second.start()
    second.stop()


def test_the_watchdog_counts_only_the_time_in_which_it_ran_itself() -> None:
    ended, state = list[int](), HealthState(ManualClock())
    watchdog = ProgressWatchdog(lambda: state.beats, end=ended.append)
    for _ in range(3 * MAX_SILENT_TICKS):
        watchdog.tick()
    assert ended == [], "a loop that has not begun is not watched"

    for _ in range(3 * MAX_SILENT_TICKS):
        state.beat()
        watchdog.tick()
    for _ in range(MAX_SILENT_TICKS):
        assert ended == []
        watchdog.tick()
    assert ended == [70]
