"""The stages, in the order a record meets them: what each reads, keeps as its log, and writes.

Topics are named by their short names (`topology.topics`). One word is used everywhere: a stage's name is its folder in
`services/`; `hyphenated` makes from it the consumer group, the dead-letter topic, the principal, the container and the manifest.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

DEFAULT_PREFIX = "enact"
# As in enact.settings: a dot would make it unclear where the prefix ends.
_PREFIX = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One consumer group: reads topics, decides, writes topics.

    `reads` are subscribed inputs, co-partitioned with each other and with `log`. `log` is the stage's own topic that it reads back and
    folds into its state. `tables` are read whole by every instance, without a group. `browses` are read on demand, for people.
    """

    name: str
    promise: str
    reads: tuple[str, ...]
    log: str | None = None
    tables: tuple[str, ...] = ()
    browses: tuple[str, ...] = ()
    writes: tuple[str, ...]
    has_dead_letters: bool = True

    @property
    def all_reads(self) -> tuple[str, ...]:
        """Every topic the stage needs to read: inputs, log, tables and what it browses."""
        return (*self.reads, *((self.log,) if self.log is not None else ()), *self.tables, *self.browses)

    @property
    def all_writes(self) -> tuple[str, ...]:
        """Every topic the stage needs to write, its dead letters included."""
        return (*self.writes, dead_letters(self.name)) if self.has_dead_letters else self.writes


def hyphenated(stage: str) -> str:
    """A stage's name outside Python: `tool_mapping` becomes `tool-mapping`."""
    return stage.replace("_", "-")


def dead_letters(stage: str) -> str:
    """The short name of a stage's dead-letter topic: `tool-mapping.dlq`."""
    return f"{hyphenated(stage)}.dlq"


def group_name(stage: str, prefix: str = DEFAULT_PREFIX) -> str:
    """A stage's consumer group and principal: `enact.tool-mapping`.

    Raises: ValueError for a prefix that is not lower case letters, digits and hyphens (63 at most).
    """
    return f"{checked_prefix(prefix)}.{hyphenated(stage)}"


def checked_prefix(prefix: str) -> str:
    """The prefix, if topics, groups and principals may be named with it.

    Raises: ValueError otherwise, with what is allowed.
    """
    if _PREFIX.fullmatch(prefix) is None:
        message = (
            f"the topic prefix (ENACT_TOPIC_PREFIX) has {len(prefix)} characters and must be lower case letters, digits and hyphens, "
            f"63 at most, a hyphen not first; the usual one is {DEFAULT_PREFIX!r}"
        )
        raise ValueError(message)
    return prefix


_DEAD_LETTER_STAGES = ("validation", "tool_mapping", "invocation", "recording", "compensation", "reconciliation")

_STAGES = (
    Stage(
        name="validation",
        promise="Admits or refuses each intent once; the first decision in the log stands.",
        reads=("intents.approved", "intents.returned"),
        log="admissions",
        tables=("registry", "switches"),
        writes=("admissions", "intents.validated", "intents.returned", "tool-calls", "ledger"),
    ),
    Stage(
        name="tool_mapping",
        promise="Turns an admitted intent into exactly the request its pinned registry version describes.",
        reads=("intents.validated",),
        tables=("registry",),
        writes=("tool-calls", "ledger"),
    ),
    Stage(
        name="invocation",
        promise="Calls a tool only with a valid claim, and says what the world did.",
        reads=("tool-calls",),
        log="executions",
        tables=("switches", "registry", "internal-objects"),
        writes=("executions", "tool-results", "intents.returned", "ledger", "switches", "internal-objects"),
    ),
    Stage(
        name="recording",
        promise="Publishes one outcome for each execution, with its signal, ledger entry and notifications.",
        reads=("tool-results",),
        log="outcomes",
        tables=("registry",),
        writes=("outcomes", "signals", "compensations", "ledger", "notifications"),
    ),
    Stage(
        name="compensation",
        promise="Turns a request to undo into a tool call of its own.",
        reads=("compensations",),
        tables=("registry",),
        writes=("tool-calls", "ledger"),
    ),
    Stage(
        name="reconciliation",
        promise="Finds what is neither ended nor alive, and sends it again, expires it or reports it.",
        reads=("admissions", "executions", "ledger", "outcomes"),
        writes=("intents.returned", "executions", "ledger", "ledger-checkpoints", "notifications"),
    ),
    Stage(
        name="api",
        promise="Answers what happened, and takes orders from people.",
        reads=("ledger",),
        tables=("switches", "registry", "internal-objects"),
        browses=tuple(dead_letters(stage) for stage in _DEAD_LETTER_STAGES),
        writes=("executions", "compensations", "intents.returned", "ledger", "switches", "registry"),
        has_dead_letters=False,
    ),
    Stage(
        name="monitor",
        promise="Watches rates and latencies in windows, and tells people; it stops nothing by itself.",
        reads=("ledger",),
        writes=("notifications",),
        has_dead_letters=False,
    ),
)

STAGES: Mapping[str, Stage] = MappingProxyType({stage.name: stage for stage in _STAGES})
STAGE_NAMES: tuple[str, ...] = tuple(STAGES)

RUNNING_STAGES: tuple[str, ...] = ("validation", "tool_mapping", "invocation", "recording", "reconciliation", "api")
"""Stages that this version has; the others are declared and come later."""

# Who stands outside the stages and still reads or writes: people's commands, upstream services, downstream readers.
CLI = "cli"
UPSTREAM = "upstream"
PERCEPTION = "perception"
AUDITORS = "auditors"
PEOPLE = "people"
ANYONE = "anyone"
OUTSIDERS: tuple[str, ...] = (UPSTREAM, CLI, PERCEPTION, AUDITORS, PEOPLE, ANYONE)
