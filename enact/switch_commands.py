"""Engage, release and list kill switches: records of the switches topic, each told in the ledger.

A stop names its engagement; only a release of that very engagement ends it, so a late or repeated release cannot
undo a newer stop. A scope is stopped while any engagement is open.
"""

import re
import uuid

from enact.command_door import CommandDoor
from enact.commands import CommandRefusedError
from enact.errors import DeliveryError, EnactError
from enact.ids import entry_id, key_of
from enact.kafka.transport import OutRecord
from enact.records import LedgerEntry, LedgerType, SourcePosition, Switch, SwitchMode, SwitchState
from enact.records.codec import decode_switch_record, encode
from enact.switches import GLOBAL_SCOPE

_NARROW_SCOPES = re.compile(r"(tenant|action_type|connector):[A-Za-z0-9._:-]{1,128}")


def checked_scope(text: str) -> str:
    """The scope, if this version can stop it.

    Raises: CommandRefusedError for a text that is no scope, and for scopes that come later.
    """
    if text == GLOBAL_SCOPE:
        return text
    if _NARROW_SCOPES.fullmatch(text):
        raise CommandRefusedError(
            f"Stopping one {text.split(':', 1)[0]} alone comes with a later version; nothing was stopped. "
            "The scope global stops every call now."
        )
    raise CommandRefusedError(
        "That is no scope. A scope is global, tenant:<id>, action_type:<name> or connector:<name>; nothing was stopped."
    )


class SwitchCommands:
    """Gives switch commands as `actor`; the writer stays the caller's, readers are opened and closed."""

    def __init__(self, door: CommandDoor) -> None:
        self._door = door

    def engage(self, scope: str, *, reason: str, mode: SwitchMode = SwitchMode.HOLD) -> Switch:
        """Stop a scope. Once this returns, no call starts later than 2 s after, on any instance.

        Raises: CommandRefusedError, DeliveryError, BrokerError; a DeliveryError says whether the stop itself holds.
        """
        switch = Switch(
            scope=checked_scope(scope),
            engagement_id=uuid.uuid4().hex,
            state=SwitchState.ENGAGED,
            mode=mode,
            actor=self._door.actor,
            reason=reason,
            at_ms=self._door.clock.wall_ms(),
        )
        self._record(switch, LedgerType.SWITCH_ENGAGED)
        return switch

    def release(self, scope: str, *, reason: str, engagement_id: str | None = None, is_all: bool = False) -> list[Switch]:
        """End one engagement of a scope, or all that are open now.

        Raises: CommandRefusedError if none is open, if the named one is not, or if several are and none is named.
        """
        scope = checked_scope(scope)
        engaged = [switch for switch in self.switches() if switch.scope == scope and switch.state is SwitchState.ENGAGED]
        if engagement_id is not None:
            engaged = [switch for switch in engaged if switch.engagement_id == engagement_id]
        if not engaged:
            raise CommandRefusedError(
                f"No such engagement of {scope} is open, so there is nothing to release. List them: enact switch list."
            )
        if len(engaged) > 1 and not is_all:
            listed = ", ".join(switch.engagement_id for switch in engaged)
            raise CommandRefusedError(f"{scope} is stopped {len(engaged)} times: name one with --engagement ({listed}), or release --all.")
        return [self._release(switch, reason) for switch in engaged]

    def switches(self) -> list[Switch]:
        """The last word on every engagement the topic still holds, oldest first; released ones stay released."""
        found: dict[tuple[str, str], Switch] = {}
        for record in self._door.table(self._door.topics.switches):
            switch = None if record.value is None else decode_switch_record(record.value)
            if not isinstance(switch, Switch):
                continue
            key = (switch.scope, switch.engagement_id)
            if key not in found or found[key].state is not SwitchState.RELEASED:
                found[key] = switch
        return sorted(found.values(), key=lambda switch: (switch.at_ms, switch.scope, switch.engagement_id))

    def _release(self, engaged: Switch, reason: str) -> Switch:
        switch = Switch(
            scope=engaged.scope,
            engagement_id=engaged.engagement_id,
            state=SwitchState.RELEASED,
            mode=engaged.mode,
            actor=self._door.actor,
            reason=reason,
            at_ms=self._door.clock.wall_ms(),
        )
        self._record(switch, LedgerType.SWITCH_RELEASED)
        return switch

    def _record(self, switch: Switch, type_: LedgerType) -> None:
        """The switch first, then its ledger entry: a stop must not wait for its own bookkeeping."""
        topic = self._door.topics.switches
        record = OutRecord(topic=topic, partition=0, key=key_of(switch.scope, switch.engagement_id), value=encode(switch))
        offset = self._door.append(record)
        try:
            self._tell_ledger(switch, type_, offset)
        except EnactError as error:
            raise DeliveryError(
                f"The switch is {switch.state.value} and in force, but its ledger entry was not acknowledged: {error.message} "
                "Keep this line for the record."
            ) from error

    def _tell_ledger(self, switch: Switch, type_: LedgerType, offset: int) -> None:
        entry = LedgerEntry(
            entry_id=entry_id("", switch.scope, 1, type_, step=None, attempt=None, cause=switch.engagement_id),
            tenant_id="",
            account_id="",
            action_intent_id=switch.scope,
            generation=1,
            version=offset,
            type=type_,
            actor=self._door.actor,
            at_ms=switch.at_ms,
            stage="cli",
            details={"scope": switch.scope, "engagement_id": switch.engagement_id, "mode": switch.mode.value, "reason": switch.reason},
            execution_trace_id="",
            source=SourcePosition(topic=self._door.topics.switches, partition=0, offset=offset),
        )
        self._door.tell(entry)
