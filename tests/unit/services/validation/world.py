"""One validation stage with its log, and how tests look at what it sends."""

import json
from collections.abc import Sequence
from typing import Any, TypeVar

from enact.approval import ApprovalRules
from enact.clock import ManualClock
from enact.kafka.stage import DeadLetter
from enact.kafka.transport import InRecord, OutRecord
from enact.records import codec
from enact.records.intent import Admission, ApprovedIntent, ReturnedIntent
from enact.switch_view import SwitchView
from services.validation.checks import Limits
from services.validation.emission import Topics
from services.validation.stage import ValidationStage
from tests.factories import (
    NOW_MS,
    LogOfOne,
    in_record,
    make_registry,
)

TOPICS = Topics(
    approved="approved", returned="returned", admissions="admissions", validated="validated", tool_calls="calls", ledger="ledger"
)
KEY = b"int-1"
R = TypeVar("R")


class World:
    """One stage, one partition, a registry that can change and a clock that can move."""

    def __init__(self, partition_count: int = 1, limits: Limits | None = None, approvals: ApprovalRules | None = None) -> None:
        self.clock = ManualClock(NOW_MS)
        self.registry = make_registry()
        self.switches = SwitchView()
        self.stage = ValidationStage(
            TOPICS,
            partition_count=partition_count,
            registry=lambda: self.registry,
            clock=self.clock,
            limits=limits,
            rejected_by=self.switches.stopped_by,
            approvals=approvals,
        )
        self.log = LogOfOne(self.stage)

    def publish(self, intent: ApprovedIntent | dict[str, Any] | bytes | None, *, key: bytes | None = KEY, **where: Any) -> list[Any]:
        return self.log.take(approved(intent, key=key, **where))

    def return_(self, returned: ReturnedIntent, *, key: bytes | None = KEY, **where: Any) -> list[Any]:
        return self.log.take(in_record("returned", key, codec.encode(returned), **where))

    def admissions(self) -> list[Admission]:
        return [codec.decode(Admission, record.value or b"") for record in self.log.records]


def approved(intent: ApprovedIntent | dict[str, Any] | bytes | None, *, key: bytes | None = KEY, **where: Any) -> InRecord:
    value = (
        codec.encode(intent) if isinstance(intent, ApprovedIntent) else json.dumps(intent).encode() if isinstance(intent, dict) else intent
    )
    return in_record("approved", key, value, **where)


def only(effects: Sequence[Any], topic: str, cls: type[R]) -> R:
    (record,) = [effect for effect in effects if isinstance(effect, OutRecord) and effect.topic == topic]
    return codec.decode(cls, record.value or b"")


def letter(effects: Sequence[Any]) -> DeadLetter:
    (found,) = [effect for effect in effects if isinstance(effect, DeadLetter)]
    return found


def topics(effects: Sequence[Any]) -> list[str]:
    return [effect.topic if isinstance(effect, OutRecord) else "dead letter" for effect in effects]
