"""What can be said about a topic: the words of the declarations in `topology.topics`."""

from dataclasses import dataclass
from enum import StrEnum

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
KIB = 1024
MIB = 1024 * KIB

# An upstream record may be larger than the largest intent (256 KiB): it is read, refused and kept as a dead letter, whole.
MAX_INPUT_BYTES = MIB
# Our own records carry the intent, its mapped call and an envelope.
MAX_CHAIN_BYTES = 2 * MIB


class Cleanup(StrEnum):
    """Kafka's `cleanup.policy`."""

    DELETE = "delete"
    COMPACT = "compact"
    COMPACT_DELETE = "compact,delete"


class Partitions(StrEnum):
    """`INTENT`: P partitions, murmur2(action_intent_id) mod P, the same for all. `ONE`: a global table, read whole by everybody."""

    INTENT = "P"
    ONE = "1"


class Retention(StrEnum):
    """How long a topic keeps records; the three kinds a cluster may choose, and the fixed ones."""

    INPUT = "input"
    HORIZON = "horizon"
    DEAD_LETTER = "dead letter"
    DAYS_14 = "14 d"
    DAYS_90 = "90 d"
    DAYS_400 = "400 d"
    FOREVER = "for ever"


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One declared topic. `key` names the parts of the record key; several parts are length-prefixed, tenant first."""

    short: str
    holds: str
    version: int = 1
    records: tuple[type, ...]
    key: tuple[str, ...]
    partitions: Partitions = Partitions.INTENT
    cleanup: Cleanup = Cleanup.DELETE
    retention: Retention = Retention.INPUT
    segment_ms: int = DAY_MS
    segment_bytes: int | None = None
    min_compaction_lag_ms: int = 0
    max_message_bytes: int = MAX_CHAIN_BYTES
    is_decision_log: bool = False
    writers: tuple[str, ...]
    readers: tuple[str, ...]

    @property
    def is_dead_letters(self) -> bool:
        """Whether this topic keeps records for people, as they were read."""
        return self.short.endswith(".dlq")
