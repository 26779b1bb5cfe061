"""The api process: it answers, tells its health, explains a taken port, and ends."""

import json
import socket
import threading
import urllib.request
from pathlib import Path

import pytest

from enact.broker.file_lock import FileLock
from enact.clock import SystemClock
from enact.errors import ConfigurationError
from enact.health import HealthState
from enact.kafka.local import LocalBroker
from enact.kafka.transport import OutRecord
from enact.records.codec import encode
from enact.settings import Profile, load
from enact.switch_table import SwitchTable
from services.api.__main__ import free_folder
from services.api.command_desk import CommandDesk
from services.api.follower import Follower
from services.api.read_model import ReadModel, sqlite_url
from services.api.server import ApiServer
from services.api.settings import Settings
from services.api.switch_desk import SwitchDesk
from tests.unit.services.api.ledger_entries import ACCOUNT, INTENT, TENANT, clean_success
from tests.unit.services.api.running_api import no_door

TOPIC, SWITCHES = "enact.ledger.v1", "enact.switches.v1"


def server_on(tmp_path: Path, broker: LocalBroker, health: HealthState, *, host: str = "127.0.0.1", port: int = 0) -> ApiServer:
    model = ReadModel.at(sqlite_url(tmp_path))
    clock = SystemClock()
    broker.create_topic(SWITCHES, 1)
    switches = SwitchTable(SWITCHES, broker.log_reader, clock)
    return ApiServer(
        model=model,
        desk=SwitchDesk(switches, model, no_door),
        commands=CommandDesk(no_door),
        switches=switches,
        follower=Follower(topic=TOPIC, reader=broker.log_reader(), ledger=model.ledger, clock=clock),
        clock=clock,
        health=health,
        host=host,
        port=port,
        origins=("*",),
        lock=FileLock(tmp_path / "lock"),
    )


def test_it_follows_answers_and_ends(tmp_path: Path) -> None:
    broker = LocalBroker(max_wait_s=0.02)
    broker.create_topic(TOPIC, 1)
    for one in clean_success():
        broker.writer().send(OutRecord(TOPIC, 0, one.action_intent_id.encode(), encode(one)))
    health = HealthState()
    server = server_on(tmp_path, broker, health, host="127.0.0.2")
    stop, ready = threading.Event(), threading.Event()
    real_tell = server._tell_health

    def tell() -> None:
        real_tell()
        if not health.missing_to_be_ready():
            ready.set()

    server._tell_health = tell  # type: ignore[method-assign]
    thread = threading.Thread(target=server.run, args=(stop,))
    thread.start()

    is_ready = ready.wait(10)
    request = urllib.request.Request(
        f"http://127.0.0.2:{server.port}/executions/{INTENT}/status?account_id={ACCOUNT}", headers={"x-tenant-id": TENANT}
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        body = json.loads(response.read())
    stop.set()
    thread.join(10)

    assert is_ready
    assert body["status"] == "SUCCEEDED"
    assert not thread.is_alive()


def test_a_taken_port_is_explained(tmp_path: Path) -> None:
    broker = LocalBroker()
    broker.create_topic(TOPIC, 1)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        with pytest.raises(ConfigurationError, match="ENACT_API__PORT"):
            server_on(tmp_path, broker, HealthState(), port=port).run(threading.Event())


def test_what_ends_the_following_ends_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broker = LocalBroker()
    broker.create_topic(TOPIC, 1)
    server = server_on(tmp_path, broker, HealthState())

    def broken(stop: threading.Event) -> None:
        raise RuntimeError("disk full")

    monkeypatch.setattr(server._follower, "run", broken)

    with pytest.raises(RuntimeError, match="disk full"):
        server.run(threading.Event())


def test_each_instance_has_a_folder_of_its_own(tmp_path: Path) -> None:
    first, second = free_folder(tmp_path), free_folder(tmp_path)
    first.release()
    third = free_folder(tmp_path)

    assert [lock.path.parent.name for lock in (first, second, third)] == ["api", "api-1", "api"]
    second.release()
    third.release()


def test_browsers_may_call_from_anywhere_in_development_only() -> None:
    assert Settings().allowed_origins == ("*",)
    assert Settings(profile=Profile.PRODUCTION).allowed_origins == ()
    assert Settings(profile=Profile.PRODUCTION, cors_origin="https://desk.example").allowed_origins == ("https://desk.example",)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET /x HTTP/1.1\r\nHost: a\r\nX-Long: " + b"a" * 20_000 + b"\r\n\r\n", b"400"),
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", b"400"),
        (b"GET / HTTP/9.9\r\nbroken header\r\n\r\n", b"400"),
    ],
    ids=["no HTTP", "a huge header", "a huge path", "a broken header"],
)
def test_what_is_no_request_is_answered_through_the_same_door(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: bytes, status: bytes
) -> None:
    broker = LocalBroker(max_wait_s=0.02)
    broker.create_topic(TOPIC, 1)
    server = server_on(tmp_path, broker, HealthState())
    stop, is_listening = threading.Event(), threading.Event()
    monkeypatch.setattr(server, "_tell_health", is_listening.set)
    thread = threading.Thread(target=server.run, args=(stop,))
    thread.start()
    assert is_listening.wait(10)

    answer = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(sent)
        while taken := connection.recv(65536):
            answer += taken
    stop.set()
    thread.join(10)

    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split()[1] == status
    assert b"Access-Control-Allow-Origin: *" in head
    assert b"Server: enact" in head
    assert b"application/problem+json" in head
    assert set(json.loads(body)) == {"error", "message", "path"}
    assert b"aiohttp" not in answer


def test_origins_are_a_list_of_origins_and_production_names_them() -> None:
    several = load(Settings, {"ENACT_CORS_ORIGIN": "https://desk.example, http://localhost:3000"})

    assert several.allowed_origins == ("https://desk.example", "http://localhost:3000")
    assert load(Settings, {"ENACT_CORS_ORIGIN": "https://desk.example,*"}).allowed_origins == ("*",)
    with pytest.raises(ConfigurationError, match=r"ENACT_CORS_ORIGIN: .*may not be .* in production"):
        load(Settings, {"ENACT_PROFILE": "production", "ENACT_CORS_ORIGIN": "*"})
    with pytest.raises(ConfigurationError, match="ENACT_CORS_ORIGIN"):
        load(Settings, {"ENACT_CORS_ORIGIN": "https://desk.example/path"})


@pytest.mark.parametrize("path", ["enact", "/enact/", "/", "/a b", "/{x}"])
def test_a_base_path_begins_with_a_slash_and_does_not_end_with_one(path: str) -> None:
    with pytest.raises(ConfigurationError, match="ENACT_API__BASE_PATH"):
        load(Settings, {"ENACT_API__BASE_PATH": path})
