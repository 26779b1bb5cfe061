"""Ask a port whether a Kafka broker serves there: one Metadata request by hand.

The kernel's client library belongs to `enact.kafka`; a broker that is only starting must not be asked by a client
that retries for minutes and logs on its own.
"""

import socket
import struct
from dataclasses import dataclass

from enact.broker.ports import LOOPBACK

_METADATA = 3
_VERSION = 7  # every broker from 2.1 on speaks it, and it has no tagged fields yet


@dataclass(frozen=True, slots=True)
class Answer:
    """What the broker said of its cluster. A broker that is not yet unfenced does not list itself."""

    cluster_id: str
    broker_count: int


def ask(port: int, *, timeout_s: float = 1.0) -> Answer | None:
    """The answer of the broker on 127.0.0.1, or None if nobody answers as a Kafka broker does."""
    body = struct.pack(">hhih", _METADATA, _VERSION, 1, -1) + struct.pack(">i?", 0, False)  # no topics, none to create
    try:
        with socket.create_connection((LOOPBACK, port), timeout=timeout_s) as connection:
            connection.settimeout(timeout_s)
            connection.sendall(struct.pack(">i", len(body)) + body)
            (size,) = struct.unpack(">i", _read(connection, 4))
            return _parse(_read(connection, min(size, 65_536)))
    except (OSError, struct.error, UnicodeDecodeError, IndexError):
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
