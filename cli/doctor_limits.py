"""`enact doctor`, limits: could a stage that is started with these settings read its limits file? Reads only."""

from collections.abc import Iterator
from pathlib import Path

from cli.doctor_finding import Finding, fail, ok
from enact.errors import ConfigurationError
from services.invocation.limits_file import read_limits

_NAME = "limits"


def limits(path: Path | None) -> Iterator[Finding]:
    """The limits file, if there is one."""
    if path is None:
        yield ok(_NAME, "no limits file: tenants and connectors are limited by the window alone")
        return
    try:
        found = read_limits(path)
    except ConfigurationError as error:
        step = "Correct it. A running stage keeps the limits it has, none starts; see docs/guides/limits-and-breakers.md."
        yield fail(_NAME, error.message, step)
        return
    default = "a default" if found.default.is_any or found.default.action_types else "no default"
    yield ok(_NAME, f"{path}: {default}; with entries of their own: tenants {len(found.tenants)}, connectors {len(found.connectors)}")
