"""What the four topics said of one execution, put together. A join: each record adds what it says, in any order, any number of times.

Events of the execution log are kept as bytes and folded only when somebody looks: nearly every execution has its outcome before,
and SUCCEEDED is final whatever else the log says, so its events are never read.
"""

from typing import Final

from msgspec import Struct, field

from enact.execution import apply
from enact.execution_state import Execution
from enact.metrics import Remedy
from enact.records import Admission, Decision, ExecutionEvent, FoldVersionSet, LedgerEntry, LedgerType, Status
from enact.records.codec import decode
from enact.records.outcome import ActionOutcome
from enact.records.views import view_reader


class AdmissionView(Struct, frozen=True, kw_only=True, gc=False):
    """What an Admission says of an execution."""

    tenant_id: str
    action_intent_id: str
    generation: int
    decision: Decision
    intent_sha256: str | None
    account_id: str | None
    action_type: str | None
    expires_at_epoch: int | None


class EntryView(Struct, frozen=True, kw_only=True, gc=False):
    """What a ledger entry says of an execution."""

    tenant_id: str
    action_intent_id: str
    generation: int
    version: int
    type: LedgerType


class OutcomeView(Struct, frozen=True, kw_only=True, gc=False):
    """What an outcome says of an execution."""

    status: Status
    version: int
    generation: int


admission_of: Final = view_reader(Admission, AdmissionView)
entry_of: Final = view_reader(LedgerEntry, EntryView, is_prefix=True)
outcome_of: Final = view_reader(ActionOutcome, OutcomeView, is_prefix=True)


class Admitted(Struct, frozen=True, array_like=True):
    """The admission of the highest generation; `seen_ms` is the broker's time of its record."""

    generation: int
    seen_ms: int
    is_refused: bool
    account_id: str
    action_type: str
    expires_at_epoch: int
    intent_sha256: str


class Told(Struct, frozen=True, array_like=True):
    """The outcome of the highest version."""

    status: Status
    version: int
    generation: int


class Repair(Struct, frozen=True, array_like=True):
    """What was tried: how often one remedy was sent for one generation, when the next may be, and whether a person was told."""

    remedy: Remedy | None = None
    generation: int = 0
    tries: int = 0
    is_told: bool = False
    next_ms: int = 0


class Case(Struct, array_like=True):
    """One execution as reconciliation knows it; changed in place while a batch is folded.

    `next_offset` is the log offset behind the last kept event, `changed_ms` the log time there. `executed` and `failed` are the
    highest versions of the ledger's two conclusions, `started` the highest generation that the ledger has begun; -1 and 0 = none.
    `seen_ms` is the broker's time of the newest record of all; `wait_ms` = nobody needs to look before.
    """

    admitted: Admitted | None = None
    execution: Execution | None = None
    events: list[tuple[int, bytes]] = field(default_factory=list)
    next_offset: int = 0
    changed_ms: int = 0
    told: Told | None = None
    started: int = 0
    executed: int = -1
    failed: int = -1
    repair: Repair = Repair()
    seen_ms: int = 0
    wait_ms: int = 0

    def add_admission(self, view: AdmissionView | Admission, at_ms: int) -> None:
        """The first admission of the highest generation counts."""
        self._saw(at_ms)
        if self.admitted is None or view.generation > self.admitted.generation:
            self.admitted = Admitted(
                generation=view.generation,
                seen_ms=at_ms,
                is_refused=view.decision is Decision.REFUSED,
                account_id=view.account_id or "",
                action_type=view.action_type or "",
                expires_at_epoch=view.expires_at_epoch or 0,
                intent_sha256=view.intent_sha256 or "",
            )

    def add_event(self, offset: int, value: bytes, *, at_ms: int, log_ms: int) -> None:
        """The next event of the log; one that is known already is dropped by its offset."""
        self._saw(at_ms)
        if offset >= self.next_offset:
            self.events.append((log_ms, value))
            self.next_offset, self.changed_ms = offset + 1, log_ms

    def add_outcome(self, view: OutcomeView | ActionOutcome, at_ms: int) -> None:
        """The highest version counts."""
        self._saw(at_ms)
        if self.told is None or view.version > self.told.version:
            self.told = Told(view.status, view.version, view.generation)

    def add_entry(self, view: EntryView | LedgerEntry, at_ms: int) -> None:
        """Beginnings and conclusions; nothing else of the ledger is missed here."""
        self._saw(at_ms)
        match view.type:
            case LedgerType.EXECUTION_STARTED | LedgerType.INTENT_REFUSED:
                self.started = max(self.started, view.generation)
            case LedgerType.ACTION_EXECUTED:
                self.executed = max(self.executed, view.version)
            case LedgerType.ACTION_FAILED:
                self.failed = max(self.failed, view.version)
            case _:
                pass

    @property
    def is_final(self) -> bool:
        """True if it succeeded and everybody was told: nothing in the log can change that any more."""
        told = self.told
        return told is not None and told.status is Status.SUCCEEDED and self.has_ledger

    @property
    def has_ledger(self) -> bool:
        """True if the ledger has the beginning, and the conclusion that the outcome says."""
        told = self.told
        if told is None or self.started < 1:
            return False
        return (self.executed if told.status is Status.SUCCEEDED else self.failed) >= told.version

    def folded(self) -> Execution | None:
        """The fold of every kept event; None if the log never heard of it. Raises: ValidationError for an event nobody can read."""
        for log_ms, value in self.events:
            event = decode(ExecutionEvent, value)
            if not isinstance(event.data, FoldVersionSet):
                self.execution = apply(self.execution, event, log_ms=log_ms)
        self.events = []
        return self.execution

    def _saw(self, at_ms: int) -> None:
        if at_ms > self.seen_ms:
            self.seen_ms, self.wait_ms = at_ms, 0
