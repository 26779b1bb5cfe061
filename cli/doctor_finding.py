"""One line of `enact doctor`: what was looked at, how it stands, and what to do."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from enact.errors import EnactError


class Level(StrEnum):
    """ok = as it must be; warn = works, or is not needed yet, but look; fail = something does not or will not work."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """`next_step` says what to do; empty when all is well."""

    name: str
    level: Level
    text: str
    next_step: str = ""


def ok(name: str, text: str) -> Finding:
    """As it must be."""
    return Finding(name, Level.OK, text)


def warn(name: str, text: str, next_step: str) -> Finding:
    """Look at it."""
    return Finding(name, Level.WARN, text, next_step)


def fail(name: str, text: str, next_step: str) -> Finding:
    """Does not work."""
    return Finding(name, Level.FAIL, text, next_step)


def looked(name: str, look: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """The findings of one look; a look that fails is a finding too, and the others go on."""
    try:
        yield from look()
    except EnactError as error:
        yield fail(name, "could not be looked at", error.message)
