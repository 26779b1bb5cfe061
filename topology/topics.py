"""Every topic of enact, declared once: what it holds, how it is keyed and kept, who writes and who reads it.

Docs, diagram, `enact topics apply`, access lists and the architecture tests are made from this file. A declaration says what holds on
every cluster; `Sizing` says what one cluster chooses; `topology.spec` joins the two.
"""

from collections.abc import Mapping
from types import MappingProxyType

from enact.records import (
    ActionOutcome,
    ActionType,
    Admission,
    ApprovedIntent,
    CompensationRequest,
    ExecutionEvent,
    InternalObject,
    LedgerCheckpoint,
    LedgerEntry,
    Notification,
    Probe,
    ReturnedIntent,
    Signal,
    Switch,
    ToolCall,
    ToolResult,
    ValidatedIntent,
)
from topology.stages import (
    ANYONE,
    AUDITORS,
    CLI,
    DEFAULT_PREFIX,
    PEOPLE,
    PERCEPTION,
    STAGES,
    UPSTREAM,
    Stage,
    checked_prefix,
    dead_letters,
    hyphenated,
)
from topology.topic import DAY_MS, MAX_INPUT_BYTES, MIB, Cleanup, Partitions, Retention, Topic

_ID = ("action_intent_id",)
_TENANT_ID = ("tenant_id", "action_intent_id")

_DECLARED = (
    Topic(
        short="intents.approved",
        holds="what upstream wants done, with its approval",
        records=(ApprovedIntent,),
        key=_ID,
        max_message_bytes=MAX_INPUT_BYTES,
        writers=(UPSTREAM, CLI),
        readers=("validation",),
    ),
    Topic(
        short="intents.returned",
        holds="intents that come back: wrong partition, redrive, repair",
        records=(ReturnedIntent,),
        key=_ID,
        writers=("validation", "invocation", "reconciliation", "api", CLI),
        readers=("validation",),
    ),
    Topic(
        short="admissions",
        holds="validation's decisions; the first of a key wins",
        records=(Admission,),
        key=(*_TENANT_ID, "generation"),
        cleanup=Cleanup.COMPACT_DELETE,
        retention=Retention.HORIZON,
        min_compaction_lag_ms=DAY_MS,
        is_decision_log=True,
        writers=("validation",),
        readers=("validation", "reconciliation"),
    ),
    Topic(
        short="intents.validated",
        holds="admitted intents with their pinned registry version",
        records=(ValidatedIntent,),
        key=_ID,
        writers=("validation",),
        readers=("tool_mapping",),
    ),
    Topic(
        short="tool-calls",
        holds="the request to be made, or the refusal to make one",
        records=(ToolCall,),
        key=_ID,
        writers=("validation", "tool_mapping", "compensation"),
        readers=("invocation",),
    ),
    Topic(
        short="executions",
        holds="the execution log: claims, facts, commands; its fold is the truth",
        records=(ExecutionEvent,),
        key=_TENANT_ID,
        retention=Retention.HORIZON,
        is_decision_log=True,
        writers=("invocation", "reconciliation", "api", CLI),
        readers=("invocation", "reconciliation"),
    ),
    Topic(
        short="tool-results",
        holds="each change of an execution's public state",
        records=(ToolResult,),
        key=_ID,
        writers=("invocation",),
        readers=("recording",),
    ),
    Topic(
        short="outcomes",
        holds="how each execution ended, or stands",
        records=(ActionOutcome,),
        key=_TENANT_ID,
        cleanup=Cleanup.COMPACT_DELETE,
        retention=Retention.DAYS_90,
        writers=("recording",),
        readers=("recording", "reconciliation", ANYONE),
    ),
    Topic(
        short="signals",
        holds="ACTION_EXECUTED and ACTION_FAILED for the perception layer",
        records=(Signal,),
        key=_ID,
        retention=Retention.DAYS_90,
        writers=("recording",),
        readers=(PERCEPTION, ANYONE),
    ),
    Topic(
        short="compensations",
        holds="requests to undo what is on record",
        records=(CompensationRequest,),
        key=_ID,
        writers=("recording", "api", CLI),
        readers=("compensation",),
    ),
    Topic(
        short="ledger",
        holds="one entry for every transition",
        records=(LedgerEntry,),
        key=_ID,
        retention=Retention.DAYS_400,
        writers=("validation", "tool_mapping", "invocation", "recording", "compensation", "reconciliation", "api", CLI),
        readers=("reconciliation", "api", "monitor", CLI, AUDITORS),
    ),
    Topic(
        short="ledger-checkpoints",
        holds="signed hashes that prove the ledger unchanged",
        records=(LedgerCheckpoint,),
        key=("partition",),
        retention=Retention.DAYS_400,
        writers=("reconciliation",),
        readers=(CLI, AUDITORS),
    ),
    Topic(
        short="notifications",
        holds="sentences for people",
        records=(Notification,),
        key=_ID,
        retention=Retention.DAYS_14,
        writers=("recording", "reconciliation", "monitor"),
        readers=(PEOPLE,),
    ),
    Topic(
        short="internal-objects",
        holds="tasks, notes and briefs that enact keeps itself",
        records=(InternalObject,),
        key=("tenant_id", "idempotency_key"),
        cleanup=Cleanup.COMPACT,
        retention=Retention.FOREVER,
        writers=("invocation",),
        readers=("invocation", "api"),
    ),
    Topic(
        short="switches",
        holds="kill switches, and the probes that prove a view of them fresh",
        records=(Switch, Probe),
        key=("scope or probe", "engagement_id or slot"),
        partitions=Partitions.ONE,
        cleanup=Cleanup.COMPACT,
        retention=Retention.FOREVER,
        segment_ms=5 * 60_000,
        segment_bytes=8 * MIB,
        writers=("invocation", "api", CLI),
        readers=("validation", "invocation", "api", CLI),
    ),
    Topic(
        short="registry",
        holds="how each action type becomes a tool call, by version",
        records=(ActionType,),
        key=("action_type", "registry_version"),
        partitions=Partitions.ONE,
        cleanup=Cleanup.COMPACT,
        retention=Retention.FOREVER,
        writers=("api", CLI),
        readers=("validation", "tool_mapping", "invocation", "recording", "compensation", "api", CLI),
    ),
)


def _dead_letter_topic(stage: Stage) -> Topic:
    """A stage's dead letters: original bytes and key, the source's partition number, twice the input's size."""
    sizes = [topic.max_message_bytes for topic in _DECLARED if topic.short in stage.reads]
    return Topic(
        short=dead_letters(stage.name),
        holds=f"what {stage.name} could not take, whole, with the reason",
        records=(),
        key=("original key",),
        retention=Retention.DEAD_LETTER,
        max_message_bytes=2 * max(sizes),
        writers=(stage.name,),
        readers=("api", CLI),
    )


TOPICS: Mapping[str, Topic] = MappingProxyType(
    {topic.short: topic for topic in (*_DECLARED, *(_dead_letter_topic(stage) for stage in STAGES.values() if stage.has_dead_letters))}
)
LARGEST_MESSAGE_BYTES: int = max(topic.max_message_bytes for topic in TOPICS.values())


def topic_name(short: str, prefix: str = DEFAULT_PREFIX) -> str:
    """The full name: `intents.approved` becomes `enact.intents.approved.v1`. Underscores of stage names become hyphens.

    Raises: LookupError for a topic that is not declared; ValueError for a prefix that is not allowed.
    """
    topic = TOPICS.get(hyphenated(short))
    if topic is None:
        message = f"no topic is declared as {short!r}; topology/topics.py declares: {', '.join(TOPICS)}"
        raise LookupError(message)
    return f"{checked_prefix(prefix)}.{topic.short}.v{topic.version}"
