"""Ledger entries of one execution that arrived together, as one value: one row costs less than five."""

from collections.abc import Sequence

import msgspec
from msgspec import Struct


class StoredEntry(Struct, frozen=True, array_like=True, gc=False):
    """The bytes of a ledger entry and where it lies."""

    value: bytes
    offset: int


_write = msgspec.msgpack.Encoder().encode
_read = msgspec.msgpack.Decoder(list[StoredEntry]).decode


def bundled(entries: Sequence[StoredEntry]) -> bytes:
    """MessagePack: an array of [value, offset]."""
    return _write(entries)


def unbundled(bundle: bytes) -> list[StoredEntry]:
    """What was bundled, in the same order."""
    return _read(bundle)
