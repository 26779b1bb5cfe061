"""What is stopped: the switches topic folded in the order of its log.

A scope is stopped while any of its engagements is open; a release ends the engagement it names and no other. The last
record under a key counts, as it does for compaction, so a reader of the whole log and one of what compaction left agree.
"""

from dataclasses import dataclass

from enact.errors import ValidationError
from enact.ids import key_of
from enact.kafka.transport import InRecord
from enact.log import get_logger
from enact.records import Probe, Switch, SwitchMode, SwitchState
from enact.records.codec import decode_switch_record

GLOBAL_SCOPE = "global"
PROBE_KEY = key_of("probe")
UNREADABLE = "unreadable-"
"""How the engagement id of a record begins that nobody here can read; its offset follows."""


@dataclass(frozen=True, slots=True)
class Engagement:
    """One open engagement of a scope."""

    scope: str
    engagement_id: str
    mode: SwitchMode
    actor: str
    reason: str
    since_ms: int


class SwitchView:
    """The open engagements. Written by one thread, read from any."""

    def __init__(self) -> None:
        self._open: dict[bytes, Engagement] = {}
        self._by_scope: dict[str, Engagement] = {}

    def apply(self, key: bytes, switch: Switch | None) -> None:
        """Fold what the newest record of a key says. None: the key is gone, and with it what it stopped."""
        ended = None if switch is None else (switch.scope, switch.engagement_id)
        left = {k: e for k, e in self._open.items() if k != key and (e.scope, e.engagement_id) != ended}
        if switch is not None and switch.state is not SwitchState.RELEASED:
            left[key] = Engagement(switch.scope, switch.engagement_id, switch.mode, switch.actor, switch.reason, switch.at_ms)
        if left != self._open:
            self._open, self._by_scope = left, _by_scope(left)

    @property
    def engagements(self) -> tuple[Engagement, ...]:
        """Everything engaged now."""
        return tuple(self._open.values())

    def stopped_by(self, scopes: tuple[str, ...]) -> Engagement | None:
        """An open engagement of one of these scopes; a REJECT before a HOLD."""
        by_scope = self._by_scope
        if not by_scope:
            return None  # asked for every call, twice
        found = [engagement for scope in scopes if (engagement := by_scope.get(scope)) is not None]
        return min(found, key=_is_mild, default=None)


class SwitchLog:
    """Feeds a view from the records of a global table, in the table's thread.

    An offset that was read before means that the table is read from the beginning again, perhaps of another log: a new
    view grows unseen, and takes the old one's place when the reader knows that it is whole.
    """

    def __init__(self) -> None:
        self.view = SwitchView()
        self._growing, self._next_offset = self.view, 0
        self._log = get_logger("switches")

    def take(self, record: InRecord) -> Probe | None:
        """Fold one record; hand back a probe. Raises: as `meaning_of`."""
        if record.offset < self._next_offset:
            self._log.warning("switches_read_again", offset=record.offset)
            self._growing = SwitchView()
        self._next_offset = record.offset + 1
        said = meaning_of(record)
        if isinstance(said, Probe):
            return said
        self._growing.apply(record.key or b"", said)
        if said is not None and said.engagement_id.startswith(UNREADABLE):
            self._log.error("switch_unreadable", offset=record.offset)
        elif said is not None:
            self._log.warning("switch_seen", scope=said.scope, engagement_id=said.engagement_id, status=said.state)
        return None

    def show(self) -> None:
        """The view that grows is whole: it counts from now on."""
        self.view = self._growing


def rejection_of(engagement: Engagement) -> str:
    """Why what this switch rejects is not done, and what to do."""
    return (
        f"The switch {engagement.scope} rejects; {engagement.actor} engaged it. "
        "Release it (enact switch list), then redrive, or publish a new intent."
    )


def scopes_of(tenant_id: str, action_type: str, connector: str) -> tuple[str, ...]:
    """Every scope whose switch stops this call."""
    return (GLOBAL_SCOPE, f"tenant:{tenant_id}", f"action_type:{action_type}", f"connector:{connector}")


def meaning_of(record: InRecord) -> Switch | Probe | None:
    """What a record of the switches topic says; None: nothing (any more).

    What cannot be read may be a stop, perhaps of a newer version: it holds everything until its key is written again or
    tombstoned. Raises: BrokerError if a schema registry is in use and does not answer.
    """
    if record.value is None:
        return None
    try:
        return decode_switch_record(record.value)
    except ValidationError as error:
        if (record.key or b"").startswith(PROBE_KEY):
            return None
        return Switch(
            scope=GLOBAL_SCOPE,
            engagement_id=f"{UNREADABLE}{record.offset}",
            state=SwitchState.ENGAGED,
            mode=SwitchMode.HOLD,
            actor="enact",
            reason=f"The record at offset {record.offset} of the switches topic cannot be read ({error.code}), and it may be a stop.",
            at_ms=record.timestamp_ms,
        )


def _by_scope(engagements: dict[bytes, Engagement]) -> dict[str, Engagement]:
    """The strictest engagement of each scope; of equals the oldest in the log."""
    strictest: dict[str, Engagement] = {}
    for engagement in sorted(engagements.values(), key=_is_mild):
        strictest.setdefault(engagement.scope, engagement)
    return strictest


def _is_mild(engagement: Engagement) -> bool:
    return engagement.mode is not SwitchMode.REJECT
