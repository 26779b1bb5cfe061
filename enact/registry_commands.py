"""Apply registry entries: what is there already is left alone, what changed under a known version is refused."""

from collections.abc import Sequence

from enact.command_door import CommandDoor
from enact.commands import CommandRefusedError
from enact.ids import entry_id
from enact.kafka.transport import OutRecord
from enact.records import ActionType, LedgerEntry, LedgerType, SourcePosition
from enact.records.codec import decode, encode
from enact.registry import RegistryView, entry_digest, entry_key


class RegistryCommands:
    """Reads and applies registry entries as `actor`; the writer stays the caller's, readers are opened and closed."""

    def __init__(self, door: CommandDoor) -> None:
        self._door = door

    def view(self) -> RegistryView:
        """The registry as it is now. Raises: BrokerError if its end is not reached in time."""
        records = list(self._door.table(self._door.topics.registry))
        entries = [decode(ActionType, record.value) for record in records if record.value is not None]
        return RegistryView(entries, next_offset=records[-1].offset + 1 if records else 0)

    def apply(self, entries: Sequence[ActionType]) -> list[ActionType]:
        """Append what the registry does not hold yet, in the order given; returns what was appended.

        All or nothing is looked at before anything is appended.
        Raises: CommandRefusedError naming every entry whose version exists with other content.
        """
        view = self.view()
        refused = []
        new = []
        for entry in entries:
            known = view.get(entry.action_type, entry.registry_version)
            if known is None:
                new.append(entry)
            elif entry_digest(known) != entry_digest(entry):
                refused.append(f"{entry.action_type} version {entry.registry_version}")
        if refused:
            raise CommandRefusedError(
                f"A registry version never changes once applied, but the file says something else for {', '.join(refused)}. "
                "Give the changed entries a new registry_version and a new created_at; nothing was applied."
            )
        for entry in new:
            self._append(entry)
        return new

    def _append(self, entry: ActionType) -> None:
        """The entry first, then its ledger entry: what is in the ledger is in the registry, never the other way round."""
        topics = self._door.topics
        key = entry_key(entry.action_type, entry.registry_version)
        record = OutRecord(topic=topics.registry, partition=0, key=key, value=encode(entry))
        offset = self._door.append(record)
        version = str(entry.registry_version)
        digest = entry_digest(entry)
        told = LedgerEntry(
            entry_id=entry_id("", entry.action_type, 1, LedgerType.REGISTRY_CHANGED, step=None, attempt=None, cause=f"{version}:{digest}"),
            tenant_id="",
            account_id="",
            action_intent_id=entry.action_type,
            generation=1,
            version=offset,
            type=LedgerType.REGISTRY_CHANGED,
            actor=self._door.actor,
            at_ms=self._door.clock.wall_ms(),
            stage="cli",
            details={
                "action_type": entry.action_type,
                "registry_version": version,
                "registry_digest": digest,
                "tool_name": entry.tool_name,
            },
            execution_trace_id="",
            source=SourcePosition(topic=topics.registry, partition=0, offset=offset),
        )
        self._door.tell(told)
