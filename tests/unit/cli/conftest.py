"""A cluster in memory behind every verb."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cli.context import Cluster
from enact.records import CancelRequested, ExecutionEvent, Fact, LedgerEntry, LedgerType, RedriveRequested
from tests.unit.enact.ledger_owner import PARTITIONS, World, entry

APPROVED, RETURNED, DLQ = "t.intents.approved", "t.intents.returned", "t.validation.dlq"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(answer)
    for topic in (APPROVED, RETURNED, DLQ):
        world.broker.create_topic(topic, PARTITIONS)

    @contextmanager
    def cluster() -> Iterator[Cluster]:
        yield InMemory(writer=world.broker.writer(), open_reader=world.open_reader, clock=world.clock, actor="cli:kim", prefix="t")

    for verb in ("submit", "cancel", "cancel_all", "dlq", "redrive", "reconcile", "resolve", "switch", "registry"):
        monkeypatch.setattr(f"cli.{verb}.cluster", cluster)
    monkeypatch.setenv("ENACT_DATA_DIR", "/nonexistent")
    return world


class InMemory(Cluster):
    """Short topic names."""

    def topic(self, short: str) -> str:
        return f"{self.prefix}.{short}"


def answer(event: ExecutionEvent) -> LedgerEntry | None:
    """An owner that accepts a cancel and takes a person's word."""
    match event.data:
        case CancelRequested(command_id=command_id):
            details = {"command_id": command_id, "result": "CANCELLED"}
            return entry(LedgerType.CANCEL_ACCEPTED, version=50, cause=event.event_id, details=details)
        case Fact(command_id=str(command_id), effect=effect):
            details = {"command_id": command_id, "effect": effect.value}
            return entry(LedgerType.DOUBT_RESOLVED, version=51, cause=event.event_id, details=details)
        case RedriveRequested(command_id=command_id):
            details = {"command_id": command_id, "result": "OPENED"}
            return entry(LedgerType.REDRIVE_ACCEPTED, version=52, generation=event.generation + 1, cause=event.event_id, details=details)
        case _:
            return None
