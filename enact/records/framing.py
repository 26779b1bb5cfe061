"""What stands in front of a value's Avro body when a schema registry is in use: the Confluent framing, `00` and a schema id.

The id is four bytes, big-endian (Confluent, "Wire format"). Which schema an id means is known outside: a process that
has a schema registry puts it here once, before its first record. Without one the framing is neither written nor read.
"""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from enact.errors import ErrorCode, ValidationError
from enact.records.schema import Schema

CONFLUENT_MARK: Final = b"\x00"
CONFLUENT_HEADER_BYTES: Final = 5
URL_VARIABLE: Final = "ENACT_SCHEMA_REGISTRY__URL"
_HEADER: Final = struct.Struct(">BI")


class SchemaRegistry(Protocol):
    """Schemas by their id, and the ids of ours. May wait for an answer the first time it is asked for an id."""

    def header_of(self, cls: type) -> bytes:
        """What stands in front of a record of this class. Raises: ConfigurationError if its schema was not registered."""

    def schema_of(self, schema_id: int) -> Schema | None:
        """The writer's schema; None if the registry knows no Avro schema of that id.

        Raises: BrokerError if it cannot be asked: nothing is known about the record then, and it must stay where it is.
        """


class _InUse:
    registry: SchemaRegistry | None = None


IN_USE: Final = _InUse()
"""The schema registry of this process; None = values are written in Avro single-object encoding."""


@contextmanager
def framed_by(registry: SchemaRegistry) -> Iterator[None]:
    """While inside, everything this process writes has the Confluent framing, and it is understood in what is read.

    For the whole process, all threads: values of one topic must not depend on who happened to write them.
    """
    before, IN_USE.registry = IN_USE.registry, registry
    try:
        yield
    finally:
        IN_USE.registry = before


def header_for(schema_id: int) -> bytes:
    """The five bytes in front of a body."""
    return _HEADER.pack(0, schema_id)


def written_with(value: bytes, words: str) -> Schema:
    """The writer's schema of a value in the Confluent framing; `words` names the record for people.

    Raises: ValidationError UNKNOWN_SCHEMA (no registry here, or it does not know the id), MALFORMED_RECORD (header cut
    short); BrokerError if the registry cannot be asked.
    """
    registry = IN_USE.registry
    if registry is None:
        message = (
            f"{words} is in the Confluent framing (first byte 00), and no schema registry is configured here: "
            f"set {URL_VARIABLE}, or publish Avro single-object encoding or JSON."
        )
        raise ValidationError(message, code=ErrorCode.UNKNOWN_SCHEMA)
    if len(value) < CONFLUENT_HEADER_BYTES:
        message = f"{words} begins like the Confluent framing, but its {len(value)} bytes hold no whole header: publish the whole value."
        raise ValidationError(message, code=ErrorCode.MALFORMED_RECORD)
    _, schema_id = _HEADER.unpack_from(value)
    schema = registry.schema_of(schema_id)
    if schema is None:
        message = (
            f"{words} was written with schema id {schema_id}, which is no Avro schema of the schema registry configured here: "
            "register the schema and publish with the id it gets."
        )
        raise ValidationError(message, code=ErrorCode.UNKNOWN_SCHEMA)
    return schema
