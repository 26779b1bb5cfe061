"""The hand-made requests, against a server that answers with given bytes."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator

import pytest

from enact.broker.ports import LOOPBACK, free_port
from enact.broker.probe import Answer, ask, is_warm

METADATA, FIND_COORDINATOR, INIT_PRODUCER_ID = 3, 10, 22
Serve = Callable[[dict[int, bytes]], int]


def text(value: str) -> bytes:
    return struct.pack(">h", len(value)) + value.encode()


def metadata(*ports: int) -> bytes:
    brokers = b"".join(struct.pack(">i", 1) + text(LOOPBACK) + struct.pack(">ih", port, -1) for port in ports)
    return struct.pack(">iii", 1, 0, len(ports)) + brokers + text("1lnKdPEZTKeSx1WphRulig") + struct.pack(">ii", 1, 0)


def coded(code: int) -> bytes:
    return struct.pack(">iih", 1, 0, code) + b"\0" * 10


@pytest.fixture
def serve() -> Iterator[Serve]:
    listener = socket.create_server((LOOPBACK, 0))
    listener.settimeout(10)

    def answer(bodies: dict[int, bytes]) -> int:
        def run() -> None:
            for _ in bodies:
                connection, _ = listener.accept()
                with connection:
                    request = connection.recv(1024)
                    (api,) = struct.unpack_from(">h", request, 4)
                    connection.sendall(struct.pack(">i", len(bodies[api])) + bodies[api])

        threading.Thread(target=run, daemon=True).start()
        port: int = listener.getsockname()[1]
        return port

    yield answer
    listener.close()


def test_a_serving_broker_names_its_cluster(serve: Serve) -> None:
    assert ask(serve({METADATA: metadata(9092)})) == Answer(cluster_id="1lnKdPEZTKeSx1WphRulig", broker_count=1)


def test_a_fenced_broker_does_not_list_itself(serve: Serve) -> None:
    assert ask(serve({METADATA: metadata()})) == Answer(cluster_id="1lnKdPEZTKeSx1WphRulig", broker_count=0)


@pytest.mark.parametrize("body", [b"", b"HTTP/1.1 400 Bad Request", metadata(9092)[:30], struct.pack(">iii", 1, 0, 1) + b"\xff" * 40])
def test_what_is_not_a_kafka_answer_is_no_answer(serve: Serve, body: bytes) -> None:
    assert ask(serve({METADATA: body})) is None


def test_nobody_there_is_no_answer() -> None:
    assert ask(free_port(), timeout_s=0.2) is None
    assert not is_warm(free_port(), timeout_s=0.2)


@pytest.mark.parametrize(("ids", "coordinator", "expected"), [(0, 0, True), (14, 0, False), (0, 15, False)])
def test_warm_means_producer_ids_and_a_group_coordinator(serve: Serve, ids: int, coordinator: int, expected: bool) -> None:
    assert is_warm(serve({INIT_PRODUCER_ID: coded(ids), FIND_COORDINATOR: coded(coordinator)})) is expected
