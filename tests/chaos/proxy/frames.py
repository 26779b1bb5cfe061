"""Kafka's framing, as far as a proxy must understand it: a size, then a header that says which API, which request, whose."""

import asyncio
import struct
from dataclasses import dataclass
from enum import IntEnum

MAX_FRAME_BYTES = 128 * 1024 * 1024
_SIZE = struct.Struct(">i")
_REQUEST = struct.Struct(">hhih")
_CORRELATION = struct.Struct(">i")


class Api(IntEnum):
    """The APIs that enact's clients use; the numbers are the protocol's."""

    PRODUCE = 0
    FETCH = 1
    LIST_OFFSETS = 2
    METADATA = 3
    OFFSET_COMMIT = 8
    OFFSET_FETCH = 9
    FIND_COORDINATOR = 10
    JOIN_GROUP = 11
    HEARTBEAT = 12
    LEAVE_GROUP = 13
    SYNC_GROUP = 14
    API_VERSIONS = 18
    INIT_PRODUCER_ID = 22
    OFFSET_FOR_LEADER_EPOCH = 23
    CONSUMER_GROUP_HEARTBEAT = 68


NAMES = {api.value: api.name.lower() for api in Api}


@dataclass(frozen=True, slots=True)
class Request:
    """The header of one request. `api` is a plain number for an API that `Api` does not name."""

    api: int
    version: int
    correlation: int
    client_id: str

    @property
    def api_name(self) -> str:
        """For people: `fetch`, or the number."""
        return NAMES.get(self.api, str(self.api))


def request_of(body: bytes) -> Request:
    """The header of a request's body (without its size). Every version since 2015 begins alike: key, version, number, client id.

    Raises: ValueError for what is no request.
    """
    if len(body) < _REQUEST.size:
        raise ValueError(f"a request has at least {_REQUEST.size} bytes, this one {len(body)}")
    api, version, correlation, length = _REQUEST.unpack_from(body)
    end = _REQUEST.size + max(length, 0)
    if end > len(body):
        raise ValueError(f"a client id of {length} bytes in a request of {len(body)}")
    return Request(api=api, version=version, correlation=correlation, client_id=body[_REQUEST.size : end].decode(errors="replace"))


def correlation_of(body: bytes) -> int:
    """Which request a response's body answers. Raises: ValueError."""
    if len(body) < _CORRELATION.size:
        raise ValueError("a response without a correlation id")
    number: int = _CORRELATION.unpack_from(body)[0]
    return number


def framed(body: bytes) -> bytes:
    """The body with its size in front."""
    return _SIZE.pack(len(body)) + body


async def read_body(reader: asyncio.StreamReader) -> bytes:
    """The next body.

    Raises: asyncio.IncompleteReadError or OSError at the end of the connection, ValueError for a size that no frame has.
    """
    size = _SIZE.unpack(await reader.readexactly(_SIZE.size))[0]
    if not 0 <= size <= MAX_FRAME_BYTES:
        raise ValueError(f"a frame of {size} bytes is not Kafka's")
    return await reader.readexactly(size)
