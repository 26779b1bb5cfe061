"""What a hostile record is, and how it must end: one `Row` for each kind, from which any number of `Sample`s are made.

The rows know nothing of brokers; the same table goes through the stages in one process and through a real cluster.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from enact.error_catalogue import Consequence
from enact.errors import ErrorCode
from enact.kafka.partitioner import partition_of
from enact.kafka.transport import Headers, OutRecord
from enact.records import Approval, ApprovalSource, ApprovedIntent, Target
from enact.records.codec import encode, encode_json

SECRET = "s3cr3t-7f3a9b"
"""Stands in every hostile value; no message may repeat it."""

APPROVED, RETURNED = "intents.approved", "intents.returned"
TENANT, OTHER_TENANT = "acme", "globex"
STRANGER, LOCKED_OUT = "no-credentials", "locked-out"
"""Tenants without a credentials file, and with one that the other system refuses."""

REJECTED, DOWN, PARTIAL, LOST = "must be rejected", "must stay down", "must stop half way", "must lose its answer"
"""Subjects and labels that the other system is told to treat badly."""

MAX_INTENT_BYTES = 262_144
DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One record on a topic. `home` is the id that decides the partition, `shift` how far it is put from there."""

    key: bytes | None
    value: bytes | None
    home: str
    topic: str = APPROVED
    shift: int = 0
    headers: Headers = ()

    def placed(self, partition_count: int, topic_name: Callable[[str], str]) -> OutRecord:
        """The record as a producer writes it."""
        partition = (partition_of(self.home, partition_count) + self.shift) % partition_count
        return OutRecord(topic_name(self.topic), partition, self.key, self.value, self.headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One instance of a row. The last record is the one the row is about.

    `who` is the execution that comes of it, if one does; `good` are executions beside it that must succeed;
    `kept` is the value a dead letter must hold, if it is not the record's own.
    """

    row: "Row"
    records: tuple[Published, ...]
    who: tuple[str, str] | None
    good: tuple[tuple[str, str], ...] = ()
    kept: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a sample is made from: a number that makes it unique, and the time."""

    id: str
    now_s: int

    def intent(self, **changes: Any) -> ApprovedIntent:
        """A valid intent; `parameters_` is a dict."""
        parameters = changes.pop("parameters_", {"subject": f"Call about {self.id}"})
        fields: dict[str, Any] = {
            "action_intent_id": self.id,
            "tenant_id": TENANT,
            "account_id": "account-1",
            "action_type": "CREATE_CRM_TASK",
            "target": Target(entity_type="Account", entity_id="001A"),
            "parameters": json.dumps(parameters),
            "expires_at_epoch": self.now_s + 3600,
            "status": "APPROVED",
            "approval": self.approval(),
            "decision_trace_id": "trace-1",
        }
        return ApprovedIntent(**(fields | changes))

    def approval(self, **changes: Any) -> Approval:
        fields: dict[str, Any] = {
            "source": ApprovalSource.HUMAN,
            "approved_by": "kim",
            "approved_at": self.now_s - 60,
            "decision_id": "dec-1",
            "proposal_id": "prop-1",
        }
        return Approval(**(fields | changes))

    def tree(self, **changes: Any) -> dict[str, Any]:
        """The intent as an upstream team writes it in JSON, ready to be damaged."""
        tree: dict[str, Any] = json.loads(encode_json(self.intent()))
        return tree | changes


Made = ApprovedIntent | dict[str, Any] | bytes | None | Published | tuple[Published, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One kind of hostile record. `make` gives the intent, its tree, its bytes, or whole records.

    `ends` None = it succeeds, although it looks odd. `says`: the field, what was found and the next step, as the message
    has them. `is_late` = on a slow machine its deadline may pass first. `is_reachable` False = the practice world cannot
    be brought to it; only the stages in one process are. `has_signal` False = without an account nobody can be signalled, and
    recording keeps a dead letter of its own about that.
    """

    name: str
    make: Callable[[Ground], Made]
    ends: Consequence | None
    code: ErrorCode | None = None
    says: tuple[str, ...] = ()
    stage: str = "validation"
    key: Callable[[Ground], bytes | None] = field(default=lambda ground: ground.id.encode())
    tenant: str = TENANT
    who: Callable[[Ground], str] = field(default=lambda ground: ground.id)
    good: Callable[[Ground], tuple[tuple[str, str], ...]] = field(default=lambda ground: ())
    kept: Callable[[Ground], bytes | None] = field(default=lambda ground: None)
    is_late: bool = False
    is_reachable: bool = True
    has_signal: bool = True

    @property
    def has_execution(self) -> bool:
        """Whether anybody sees an outcome."""
        return self.ends is not Consequence.DEAD_LETTER_ONLY

    def sample(self, number: int, now_s: int) -> Sample:
        """Instance `number`."""
        ground = Ground(id=f"{re.sub(r'[^a-z0-9]+', '-', self.name.lower())[:80].strip('-')}-{number}", now_s=now_s)
        made = self.make(ground)
        if not isinstance(made, tuple):
            made = (made if isinstance(made, Published) else Published(key=self.key(ground), value=written(made), home=ground.id),)
        return Sample(
            row=self,
            records=made,
            who=(self.tenant, self.who(ground)) if self.has_execution else None,
            good=self.good(ground),
            kept=self.kept(ground),
        )


def written(made: ApprovedIntent | dict[str, Any] | bytes | None) -> bytes | None:
    """An intent as Avro, a tree as JSON, bytes as they are."""
    if isinstance(made, ApprovedIntent):
        return encode(made)
    return json.dumps(made).encode() if isinstance(made, dict) else made


def without(tree: dict[str, Any], path: str) -> dict[str, Any]:
    """The tree without the field at a dotted path."""
    *outer, name = path.split(".")
    holder = tree
    for step in outer:
        holder = holder[step]
    del holder[name]
    return tree


def with_raw(ground: Ground, name: str, text: str) -> bytes:
    """The JSON intent in which a field is given as raw text, which need not be JSON."""
    mark = "@raw@"
    return json.dumps(ground.tree(**{name: mark})).replace(json.dumps(mark), text, 1).encode()


def only(name: str, code: ErrorCode, says: tuple[str, ...], make: Callable[[Ground], Made], **more: Any) -> Row:
    """A row that ends as a dead letter and starts nothing."""
    return Row(name=name, make=make, ends=Consequence.DEAD_LETTER_ONLY, code=code, says=says, **more)


def failed(name: str, code: ErrorCode, says: tuple[str, ...], make: Callable[[Ground], Made], **more: Any) -> Row:
    """A row that ends FAILED, with a dead letter."""
    return Row(name=name, make=make, ends=Consequence.FAILED_AND_DEAD_LETTER, code=code, says=says, **more)


def fine(name: str, make: Callable[[Ground], Made], **more: Any) -> Row:
    """A row that only looks hostile."""
    return Row(name=name, make=make, ends=None, **more)
