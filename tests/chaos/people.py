"""What operators do in a run: stop and release, cancel, resolve. Every command is noted with when it was sent and acknowledged."""

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from enact.clock import SystemClock
from enact.command_door import CommandDoor, CommandTopics
from enact.commands import Commands
from enact.errors import EnactError
from enact.ids import key_of
from enact.kafka.client import KafkaWriter
from enact.kafka.log_reader import LogReader
from enact.kafka.transport import OutRecord
from enact.records import ApprovedIntent, Status, SwitchMode, SwitchState
from enact.switch_commands import SwitchCommands
from tests.chaos.journal import Journal, now_ms
from tests.e2e.world import World

TOPICS = ("ledger", "executions", "switches", "registry")


@dataclass(frozen=True, slots=True, kw_only=True)
class _TimedDoor(CommandDoor):
    """Notes when each of its appends was acknowledged."""

    acked_ms: list[int] = field(default_factory=list)

    def append(self, record: OutRecord) -> int:
        offset = CommandDoor.append(self, record)
        self.acked_ms.append(now_ms())
        return offset


class People:
    """Operators of one world. Any thread may call; every command has connections of its own."""

    def __init__(self, world: World, journal: Journal) -> None:
        self._world, self._journal = world, journal

    def engage(self, scope: str, mode: str) -> str | None:
        """Stop a scope; its engagement id, None if the stop was refused or not acknowledged."""
        sent_ms = now_ms()
        with self._door() as door:
            try:
                switch = SwitchCommands(door).engage(scope, reason="a run says so", mode=SwitchMode(mode))
            except EnactError as error:
                acked_ms = door.acked_ms[0] if door.acked_ms else None
                self._note("engage", sent_ms, acked_ms, error, scope=scope, mode=mode, engagement_id=None)
                return None
            self._note("engage", sent_ms, door.acked_ms[0], "engaged", scope=scope, mode=mode, engagement_id=switch.engagement_id)
            return switch.engagement_id

    def release_all(self) -> None:
        """End every engagement that is open. Raises: EnactError if they cannot be read."""
        with self._door() as door:
            engaged = [switch for switch in SwitchCommands(door).switches() if switch.state is SwitchState.ENGAGED]
        for switch in engaged:
            self.release(switch.scope, switch.engagement_id)

    def release(self, scope: str, engagement_id: str) -> None:
        """End one engagement; noted also when that fails."""
        sent_ms = now_ms()
        with self._door() as door:
            try:
                SwitchCommands(door).release(scope, reason="a run says so", engagement_id=engagement_id)
                said: object = "released"
            except EnactError as error:
                said = error
            self._note("release", sent_ms, door.acked_ms[0] if door.acked_ms else None, said, scope=scope, engagement_id=engagement_id)

    def cancel(self, intent: ApprovedIntent) -> None:
        """Cancel one execution."""
        tenant_id, action_intent_id = intent.tenant_id, intent.action_intent_id
        sent_ms = now_ms()
        with self._door() as door:
            try:
                said: object = Commands(door).cancel(tenant_id=tenant_id, action_intent_id=action_intent_id, reason="a run says so")
            except EnactError as error:
                said = error
            acked_ms = door.acked_ms[0] if door.acked_ms else None
            self._note("cancel", sent_ms, acked_ms, said, tenant_id=tenant_id, action_intent_id=action_intent_id)

    def resolve(self, tenant_id: str, action_intent_id: str, *, is_applied: bool) -> None:
        """Say what a person found."""
        sent_ms = now_ms()
        with self._door() as door:
            try:
                said: object = Commands(door).resolve(
                    tenant_id=tenant_id, action_intent_id=action_intent_id, is_applied=is_applied, reason="looked at the practice world"
                )
            except EnactError as error:
                said = error
            ids = {"tenant_id": tenant_id, "action_intent_id": action_intent_id}
            self._note("resolve", sent_ms, door.acked_ms[0] if door.acked_ms else None, said, is_applied=is_applied, **ids)

    def resolve_some(self, chosen: random.Random, share: float) -> int:
        """Look at the practice world and at the internal objects, as a person would, and resolve that share of what is in doubt.

        Returns how many.
        """
        doubts = [key for key, outcome in sorted(self._world.outcomes().items()) if outcome.status is Status.IN_DOUBT]
        applied = {record.key for record in self._world.dump("internal-objects")}
        applied |= {key_of(row["tenant"], row["idempotency_key"] or "") for row in self._world.sandbox.applications()}
        keys = self._keys()
        picked = [key for key in doubts if chosen.random() < share and key in keys]
        for tenant_id, action_intent_id in picked:
            is_applied = key_of(tenant_id, keys[tenant_id, action_intent_id]) in applied
            self.resolve(tenant_id, action_intent_id, is_applied=is_applied)
        return len(picked)

    def _keys(self) -> Mapping[tuple[str, str], str]:
        """Idempotency keys by execution, from the log's claims and subjects."""
        return {
            (event.tenant_id, event.action_intent_id): event.subject.idempotency_key
            for event in self._world.events()
            if event.subject is not None and event.subject.idempotency_key
        }

    def _note(self, kind: str, sent_ms: int, acked_ms: int | None, said: object, **target: Any) -> None:
        self._journal.command(kind, sent_ms=sent_ms, acked_ms=acked_ms, answer=_in_words(said), **target)

    @contextmanager
    def _door(self) -> Iterator[_TimedDoor]:
        kafka = self._world.platform.kafka
        writer = KafkaWriter(kafka)
        topics = CommandTopics(**{short: self._world.platform.topic(short) for short in TOPICS})
        try:
            yield _TimedDoor(writer=writer, open_reader=lambda: LogReader(kafka), topics=topics, clock=SystemClock(), actor="operator")
        finally:
            writer.close()


def _in_words(said: object) -> str:
    """A text as it is, an error in full, an answer by its name: `Accepted`, `TooLate`."""
    if isinstance(said, EnactError):
        return f"{type(said).__name__}: {said.message}"
    return said if isinstance(said, str) else type(said).__name__
