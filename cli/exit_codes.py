"""How `enact` ends: one table of exit codes for every verb."""

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType


class Exit(IntEnum):
    """Exit codes of `enact`. 64, 70 and 75 are also those of a stage process."""

    OK = 0
    PROBLEM = 1
    USAGE = 2
    REFUSED = 3
    NOT_FOUND = 4
    TOO_LATE = 5
    IN_DOUBT = 6
    RECORDED = 7
    CHANGES = 8
    STALE = 9
    CONFIGURATION = 64
    UNEXPECTED = 70
    STOPPED_ITSELF = 75
    INTERRUPTED = 130


MEANINGS: Mapping[Exit, str] = MappingProxyType(
    {
        Exit.OK: "done",
        Exit.PROBLEM: "something around enact failed, or was found by `doctor`, `demo` or `reconcile`; what to do is said",
        Exit.USAGE: "wrong command line",
        Exit.REFUSED: "refused, nothing was changed",
        Exit.NOT_FOUND: "no such execution",
        Exit.TOO_LATE: "too late, it had ended",
        Exit.IN_DOUBT: "in doubt, a person must look",
        Exit.RECORDED: "recorded, the answer is still to come",
        Exit.CHANGES: "`topics plan` found something for `topics apply` to do",
        Exit.STALE: "a rendered file is stale (`make render`)",
        Exit.CONFIGURATION: "a setting is wrong or missing",
        Exit.UNEXPECTED: "a fault inside enact: please report it",
        Exit.STOPPED_ITSELF: "a stage (`enact run`) stopped itself, because something around it is wrong",
        Exit.INTERRUPTED: "interrupted with Ctrl-C",
    }
)

EXIT_CODES_HELP = "Exit codes: " + " · ".join(f"{code.value} {text.replace('`', '')}" for code, text in MEANINGS.items()) + "."
