"""What a process does about the framing of values before its first record: nothing, unless a schema registry is configured."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from enact.records.framing import framed_by
from enact.settings import SchemaRegistrySettings


@contextmanager
def value_framing(settings: SchemaRegistrySettings, subjects: Mapping[str, type]) -> Iterator[None]:
    """While inside, values are framed as the settings say. `subjects` names the schema of each record class for the registry.

    Raises: ConfigurationError, BrokerError if a schema registry is configured and cannot be used.
    """
    if settings.url is None:
        yield
        return
    # The client brings an HTTP library with it; a process without a schema registry does not pay for it.
    from enact.kafka.schema_registry import ClientSchemaRegistry, connected  # noqa: PLC0415

    with connected(settings) as client:
        registry = ClientSchemaRegistry(client)
        registry.register(subjects, is_adding=settings.registers)
        with framed_by(registry):
            yield
