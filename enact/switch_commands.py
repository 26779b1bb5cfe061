"""Engage, release and list kill switches: records of the switches topic, each told in the ledger.

A stop names its engagement; only a release of that very engagement ends it, so a late or repeated release cannot
undo a newer stop. A scope is stopped while any engagement is open. A stop is never refused for what it names.
"""

import uuid

from enact.command_door import CommandDoor
from enact.commands import CommandRefusedError
from enact.errors import DeliveryError, EnactError
from enact.ids import ID_WORDS, entry_id, is_id, key_of
from enact.kafka.transport import OutRecord
from enact.records import LedgerEntry, LedgerType, SourcePosition, Switch, SwitchMode, SwitchState
from enact.records.codec import encode
from enact.registry_commands import RegistryCommands
from enact.switch_view import GLOBAL_SCOPE, UNREADABLE, meaning_of

SCOPE_WORDS = ("tenant", "action_type", "connector")
SCOPES_THERE_ARE = "A scope is global, tenant:<id>, action_type:<name> or connector:<name>"


def checked_scope(text: str) -> str:
    """The scope itself, if it is one. Raises: CommandRefusedError that says what is wrong with it."""
    if text == GLOBAL_SCOPE:
        return text
    word, colon, name = text.partition(":")
    if not colon or word not in SCOPE_WORDS:
        found = f"{word}: is" if colon else f"{word} is" if is_id(word) else "What was given is"
        raise CommandRefusedError(f"{found} no scope. {SCOPES_THERE_ARE}; nothing was changed.")
    if not is_id(name):
        raise CommandRefusedError(f"What follows {word}: is no id, which has {ID_WORDS}. {SCOPES_THERE_ARE}; nothing was changed.")
    return text


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
        self._record(switch, LedgerType.SWITCH_ENGAGED, self._record_of(switch))
        return switch

    def release(self, scope: str, *, reason: str, engagement_id: str | None = None, is_all: bool = False) -> list[Switch]:
        """End one engagement of a scope, or all that are open now. One that cannot be read must be named.

        Raises: CommandRefusedError if none is open, if the named one is not, or if several are and none is named.
        """
        scope = checked_scope(scope)
        open_now = {key: switch for key, switch in self._newest().items() if switch.scope == scope and switch.state is not _RELEASED}
        engaged = {key: switch for key, switch in open_now.items() if engagement_id in {None, switch.engagement_id}}
        if not engaged:
            raise CommandRefusedError(
                f"No such engagement of {scope} is open, so there is nothing to release. List them: enact switch list."
            )
        if len(engaged) > 1 and not is_all:
            listed = ", ".join(switch.engagement_id for switch in engaged.values())
            raise CommandRefusedError(f"{scope} is stopped {len(engaged)} times: name one with --engagement ({listed}), or release --all.")
        if engagement_id is None:
            engaged = {key: switch for key, switch in engaged.items() if not is_unreadable(switch)}
            if not engaged:
                raise CommandRefusedError(
                    f"{scope} is stopped by a record that cannot be read and may be a stop of a newer version: name it "
                    f"with --engagement ({', '.join(switch.engagement_id for switch in open_now.values())}) if it is none."
                )
        return [self._release(key, switch, reason) for key, switch in engaged.items()]

    def switches(self) -> list[Switch]:
        """The last word on every engagement the topic still holds, oldest first.

        A record that cannot be read is listed as what it does: an engagement of the scope global.
        """
        return sorted(self._newest().values(), key=lambda switch: (switch.at_ms, switch.scope, switch.engagement_id))

    def _newest(self) -> dict[bytes, Switch]:
        """What the newest record of each key says, as `SwitchView` folds them."""
        found: dict[bytes, Switch] = {}
        keys: dict[tuple[str, str], bytes] = {}
        for record in self._door.table(self._door.topics.switches):
            key, said = record.key or b"", meaning_of(record)
            if said is None:
                found.pop(key, None)
            elif isinstance(said, Switch):
                found.pop(keys.get((said.scope, said.engagement_id), key), None)
                found[key], keys[said.scope, said.engagement_id] = said, key
        return found

    def _release(self, key: bytes, engaged: Switch, reason: str) -> Switch:
        switch = Switch(
            scope=engaged.scope,
            engagement_id=engaged.engagement_id,
            state=SwitchState.RELEASED,
            mode=engaged.mode,
            actor=self._door.actor,
            reason=reason,
            at_ms=self._door.clock.wall_ms(),
        )
        topic = self._door.topics.switches
        if is_unreadable(engaged):
            self._record(switch, LedgerType.SWITCH_RELEASED, OutRecord(topic=topic, partition=0, key=key, value=None))
        else:
            self._record(switch, LedgerType.SWITCH_RELEASED, self._record_of(switch))
        return switch

    def _record_of(self, switch: Switch) -> OutRecord:
        key = key_of(switch.scope, switch.engagement_id)
        return OutRecord(topic=self._door.topics.switches, partition=0, key=key, value=encode(switch))

    def _record(self, switch: Switch, type_: LedgerType, record: OutRecord) -> None:
        """The switch first, then its ledger entry: a stop must not wait for its own bookkeeping."""
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
            stage=self._door.stage,
            details={"scope": switch.scope, "engagement_id": switch.engagement_id, "mode": switch.mode.value, "reason": switch.reason},
            execution_trace_id="",
            source=SourcePosition(topic=self._door.topics.switches, partition=0, offset=offset),
        )
        self._door.tell(entry)


def is_named(door: CommandDoor, scope: str) -> bool | None:
    """True if a registry entry names this action type or connector; None for other scopes, or if the registry cannot tell."""
    word, _, name = scope.partition(":")
    if word not in {"action_type", "connector"}:
        return None
    try:
        return any(getattr(entry, word) == name for entry in RegistryCommands(door).view().entries())
    except EnactError:
        return None


def is_unreadable(switch: Switch) -> bool:
    """True for the stop that a record makes which nobody here can read."""
    return switch.engagement_id.startswith(UNREADABLE)


_RELEASED = SwitchState.RELEASED
