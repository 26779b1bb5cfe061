"""Ask a port whether a Kafka broker serves there: three requests by hand.

The kernel's client library belongs to `enact.kafka`; a broker that is only starting must not be asked by a client
that retries for minutes and logs on its own.
"""

import socket
import struct
from dataclasses import dataclass

from enact.broker.ports import LOOPBACK

# Versions that every broker from 2.1 on speaks, the last ones without tagged fields.
_METADATA, _METADATA_VERSION = 3, 7
_FIND_COORDINATOR, _FIND_COORDINATOR_VERSION = 10, 2
_INIT_PRODUCER_ID, _INIT_PRODUCER_ID_VERSION = 22, 1


@dataclass(frozen=True, slots=True)
class Answer:
    """What the broker said of its cluster. A broker that is not yet unfenced does not list itself."""

    cluster_id: str
    broker_count: int


def ask(port: int, *, timeout_s: float = 1.0) -> Answer | None:
    """The answer of the broker on 127.0.0.1, or None if nobody answers as a Kafka broker does."""
    data = _request(port, _METADATA, _METADATA_VERSION, struct.pack(">i?", 0, False), timeout_s)  # no topics, none to create
    try:
        answer = None if data is None else _parse(data)
    except (struct.error, UnicodeDecodeError, IndexError):
        return None
    return answer if answer is not None and answer.cluster_id else None


def is_warm(port: int, *, timeout_s: float = 1.0) -> bool:
    """Whether an idempotent producer and a consumer group could start now; asking is what warms a fresh broker.

    The first producer after a start is told COORDINATOR_LOAD_IN_PROGRESS while the broker fetches a block of ids, and
    librdkafka then waits for seconds; the first group of a new cluster waits likewise for the offsets topic to be made.
    """
    ids = _request(port, _INIT_PRODUCER_ID, _INIT_PRODUCER_ID_VERSION, struct.pack(">hi", -1, 60_000), timeout_s)
    group = b"enact-probe"
    coordinator = _request(port, _FIND_COORDINATOR, _FIND_COORDINATOR_VERSION, struct.pack(">h", len(group)) + group + b"\0", timeout_s)
    # Both answers begin with correlation id, throttle time and error code.
    return all(answer is not None and answer[8:10] == b"\0\0" for answer in (ids, coordinator))


def _request(port: int, api: int, version: int, body: bytes, timeout_s: float) -> bytes | None:
    message = struct.pack(">hhih", api, version, 1, -1) + body
    try:
        with socket.create_connection((LOOPBACK, port), timeout=timeout_s) as connection:
            connection.settimeout(timeout_s)
            connection.sendall(struct.pack(">i", len(message)) + message)
            (size,) = struct.unpack(">i", _read(connection, 4))
            return _read(connection, min(size, 65_536))
    except OSError:
        return None


def _read(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise ConnectionError("The broker closed the connection.")
        data += part
    return data


def _parse(data: bytes) -> Answer:
    """Metadata response, version 7: correlation id, throttle time, brokers (id, host, port, rack), cluster id."""
    (count,) = struct.unpack_from(">i", data, 8)
    at = 12
    for _ in range(count):
        _, at = _string(data, at + 4)
        _, at = _string(data, at + 4)
    cluster_id, _ = _string(data, at)
    return Answer(cluster_id=cluster_id, broker_count=count)


def _string(data: bytes, at: int) -> tuple[str, int]:
    (length,) = struct.unpack_from(">h", data, at)
    end = at + 2 + max(length, 0)
    if end > len(data):
        raise IndexError(end)
    return data[at + 2 : end].decode(), end
