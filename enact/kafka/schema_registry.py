"""The door to a Confluent-compatible schema registry: our schemas registered at start, writers' schemas fetched by id.

A registry that cannot be asked says nothing about a record. It ends the process with "try again" (its offsets stay),
never a record: only the registry's own word that it has no such Avro schema makes a dead letter.
Tests: tests/unit/enact/kafka/test_schema_registry.py, tests/e2e/test_schema_registry.py.
"""

import json
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Final, TypeVar

import httpx2
from confluent_kafka.schema_registry import Schema as RegisteredText
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError
from fastavro.schema import SchemaParseException, UnknownType, to_parsing_canonical_form

from enact.errors import BrokerError, ConfigurationError
from enact.log import get_logger
from enact.records.framing import URL_VARIABLE, header_for
from enact.records.schema import Schema, schema_from, schema_text
from enact.settings import SchemaRegistrySettings

# One request ends within these, all tries together before the loop counts as stuck (`enact.watchdog`).
_TIMEOUT_S: Final = 2.0
_TRIES_AGAIN: Final = 2
_WAIT_MS: Final = 200
_MAX_WAIT_MS: Final = 1000

# "Schema not found" of the registry's HTTP interface; the second is what the client's in-process registry says.
_NO_SUCH_SCHEMA: Final = frozenset({40403, 40400})
_REFUSED_SCHEMA: Final = frozenset({409, 422})
_REFUSED_US: Final = frozenset({401, 403})
_NOT_FOUND: Final = 404
_AVRO: Final = "AVRO"

_log = get_logger("schema_registry")
T = TypeVar("T")


class SchemaRegistryUnavailableError(BrokerError):
    """The schema registry did not give an answer that can be used; nothing was decided about any record."""


def connected(settings: SchemaRegistrySettings) -> SchemaRegistryClient:
    """A client as the settings say. Raises: ConfigurationError without an address or with one that cannot be used."""
    if settings.url is None:
        raise ConfigurationError(f"{URL_VARIABLE} is not set.")
    given: dict[str, object] = {
        "url": settings.url,
        "timeout": _TIMEOUT_S,
        "max.retries": _TRIES_AGAIN,
        "retries.wait.ms": _WAIT_MS,
        "retries.max.wait.ms": _MAX_WAIT_MS,
    }
    if settings.username is not None and settings.password is not None:
        given["basic.auth.user.info"] = f"{settings.username}:{settings.password.get_secret_value()}"
    if settings.ca_location is not None:
        given["ssl.ca.location"] = str(settings.ca_location)
    try:
        return SchemaRegistryClient(given)
    except (ValueError, TypeError, OSError) as error:
        raise ConfigurationError(f"{URL_VARIABLE}: the client cannot be made ({type(error).__name__}).") from error


class ClientSchemaRegistry:
    """The `SchemaRegistry` of the records' codec, on the client library. What it has learned once it does not ask again."""

    def __init__(self, client: SchemaRegistryClient) -> None:
        self._client = client
        self._headers: dict[type, bytes] = {}
        self._schemas: dict[int, Schema] = {}
        self._asking = Lock()

    def register(self, subjects: Mapping[str, type], *, is_adding: bool = True) -> None:
        """Learn the ids of our current schemas; with `is_adding` a schema that is missing is registered under its subject.

        Raises: ConfigurationError if a schema is refused or missing; SchemaRegistryUnavailableError.
        """
        for subject, cls in subjects.items():
            schema_id = self._id_under(subject, cls, is_adding=is_adding)
            self._headers[cls] = header_for(schema_id)
            self._schemas[schema_id] = _readable(schema_text(cls))
        _log.info("schemas_registered", count=len(subjects))

    def header_of(self, cls: type) -> bytes:
        """See `enact.records.framing.SchemaRegistry`."""
        try:
            return self._headers[cls]
        except KeyError:
            raise ConfigurationError(f"{cls.__name__} has no subject in the schema registry: declare the topic that holds it.") from None

    def schema_of(self, schema_id: int) -> Schema | None:
        """See `enact.records.framing.SchemaRegistry`. A "no" is not kept: the schema may be registered later."""
        known = self._schemas.get(schema_id)
        if known is not None:
            return known
        with self._asking:
            found = self._fetched(schema_id)
        if found is not None:
            self._schemas[schema_id] = found
        return found

    def _fetched(self, schema_id: int) -> Schema | None:
        try:
            text = _asked(lambda: self._client.get_schema(schema_id))
        except SchemaRegistryError as error:
            if error.http_status_code == _NOT_FOUND and error.error_code in _NO_SUCH_SCHEMA:
                return None
            raise _unavailable(error) from error
        if (text.schema_type or _AVRO) != _AVRO or text.references or text.schema_str is None:
            _log.warning("schema_not_usable", count=schema_id, reason="not Avro, or it refers to other schemas")
            return None
        try:
            return _readable(text.schema_str)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, SchemaParseException, UnknownType) as error:
            _log.warning("schema_not_usable", count=schema_id, reason=type(error).__name__)
            return None

    def _id_under(self, subject: str, cls: type, *, is_adding: bool) -> int:
        text = RegisteredText(schema_text(cls), _AVRO)
        try:
            if is_adding:
                return int(_asked(lambda: self._client.register_schema(subject, text)))
            found = _asked(lambda: self._client.lookup_schema(subject, text)).schema_id
        except SchemaRegistryError as error:
            raise _refused(error, subject) from error
        if found is None:
            raise SchemaRegistryUnavailableError("What answers as the schema registry gives no id for a schema.")
        return int(found)


def _readable(text: str) -> Schema:
    """The canonical form is all that reading needs; what else a foreign schema says (logical types) would change values."""
    return schema_from(json.loads(to_parsing_canonical_form(json.loads(text))))


def _asked(question: Callable[[], T]) -> T:
    """Raises: SchemaRegistryError as the registry answered; SchemaRegistryUnavailableError if it did not."""
    try:
        return question()
    except SchemaRegistryError:
        raise
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
        raise SchemaRegistryUnavailableError(f"The schema registry does not answer ({type(error).__name__}): {_ADVICE}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise SchemaRegistryUnavailableError(f"What answers there is no schema registry ({type(error).__name__}): {_ADVICE}") from error


def _unavailable(error: SchemaRegistryError) -> SchemaRegistryUnavailableError:
    return SchemaRegistryUnavailableError(
        f"The schema registry answered with HTTP status {error.http_status_code}, code {error.error_code}: {_ADVICE}"
    )


def _refused(error: SchemaRegistryError, subject: str) -> ConfigurationError | SchemaRegistryUnavailableError:
    status = error.http_status_code
    if status in _REFUSED_US:
        return ConfigurationError(f"The schema registry refuses this process (HTTP status {status}): check its user and password.")
    if status in _REFUSED_SCHEMA:
        return ConfigurationError(
            f"The schema registry refuses our schema under the subject {subject} (HTTP status {status}): "
            "look at what else is registered there, and at the subject's compatibility."
        )
    if status == _NOT_FOUND:
        return ConfigurationError(
            f"The schema registry does not have our schema under the subject {subject}: register schemas/avro/*.avsc there, "
            "or let enact do it (ENACT_SCHEMA_REGISTRY__REGISTERS=true)."
        )
    return _unavailable(error)


_ADVICE: Final = f"check {URL_VARIABLE} and the schema registry itself. Nothing was decided about any record."
