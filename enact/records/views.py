"""Reads a few fields of a record and steps over the rest: for those who see many records and need little of each."""

from collections.abc import Callable, Collection
from typing import TypeVar

from enact.records.avro_reading import CANNOT_READ, compiled_reader
from enact.records.codec import HEADER_BYTES, SINGLE_OBJECT_MARK, decode
from enact.records.framing import CONFLUENT_HEADER_BYTES, CONFLUENT_MARK, written_with
from enact.records.schema import schemas_of

T = TypeVar("T")
V = TypeVar("V")


def view_reader(
    cls: type[T], target: type[V], *, map_keys: Collection[str] | None = None, is_prefix: bool = False
) -> Callable[[bytes], V | T]:
    """A function from bytes to a `target`, whose fields are some of those of `cls`; the whole record where the short way cannot be taken.

    `map_keys` and `is_prefix` as in `compiled_reader`. What is stepped over is not judged.
    The function raises: ValidationError; BrokerError if a schema registry is in use and does not answer.
    """
    current = schemas_of(cls).current
    header, name, fingerprint = SINGLE_OBJECT_MARK + current.fingerprint, cls.__name__, current.fingerprint
    read = compiled_reader(cls, current.parsed, target, map_keys=map_keys, is_prefix=is_prefix)

    def view_of(value: bytes) -> V | T:
        if value.startswith(header):
            body_at = HEADER_BYTES
        elif value[:1] == CONFLUENT_MARK and written_with(value, name).fingerprint == fingerprint:
            body_at = CONFLUENT_HEADER_BYTES
        else:
            return decode(cls, value)
        try:
            view: V = read(value, body_at)
        except CANNOT_READ:  # the whole record says why, or can be read after all
            return decode(cls, value)
        return view

    return view_of
