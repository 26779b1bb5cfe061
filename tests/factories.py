"""Records for tests, each a fresh, valid one; say only what a test is about."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec.structs import replace

from enact import ids
from enact.errors import BrokerError
from enact.kafka.stage import Stage
from enact.kafka.transport import Headers, InRecord, Offset, OutRecord
from enact.records import codec
from enact.records.action_type import ActionType, Compensation, MappingRule
from enact.records.enums import ApprovalSource, CompensationStrategy, Effect, EffectKind, RiskClass, Status, Step
from enact.records.execution_event import ExternalRef
from enact.records.framing import header_for
from enact.records.intent import Approval, ApprovedIntent, Target, ValidatedIntent
from enact.records.schema import Schema
from enact.records.tool_call import Backoff, EffectClass
from enact.records.tool_result import StepVerdict, ToolResult
from enact.registry import RegistryView, entry_digest

NOW_MS = 1_790_000_000_000
NOW_S = NOW_MS // 1000
TRACEPARENT = ("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")


def make_approval(**changes: Any) -> Approval:
    return replace(
        Approval(source=ApprovalSource.HUMAN, approved_by="kim", approved_at=NOW_S - 60, decision_id="dec-1", proposal_id="prop-1"),
        **changes,
    )


def make_intent(**changes: Any) -> ApprovedIntent:
    return replace(
        ApprovedIntent(
            action_intent_id="int-1",
            tenant_id="acme",
            account_id="account-1",
            action_type="CREATE_CRM_TASK",
            target=Target(entity_type="Account", entity_id="001A"),
            parameters='{"subject":"Call Kim"}',
            expires_at_epoch=NOW_S + 3600,
            status="APPROVED",
            approval=make_approval(),
            decision_trace_id="trace-1",
        ),
        **changes,
    )


def intent_json_tree(intent: ApprovedIntent | None = None) -> dict[str, Any]:
    """The intent as an upstream team would write it, ready to be damaged."""
    tree: dict[str, Any] = json.loads(codec.encode_json(intent or make_intent()))
    return tree


def make_action_type(**changes: Any) -> ActionType:
    return replace(
        ActionType(
            action_type="CREATE_CRM_TASK",
            registry_version=1,
            created_at=NOW_S - 86_400,
            tool_name="crm.create_task",
            tool_schema_version="1",
            connector="crm",
            arguments_schema=json.dumps(
                {
                    "type": "object",
                    "required": ["subject"],
                    "additionalProperties": False,
                    "properties": {
                        "subject": {"type": "string", "maxLength": 255},
                        "priority": {"enum": ["High", "Normal", "Low"]},
                        "related_id": {"type": "string"},
                    },
                }
            ),
            parameters_schema=json.dumps(
                {
                    "type": "object",
                    "required": ["subject"],
                    "additionalProperties": False,
                    "properties": {"subject": {"type": "string", "maxLength": 255}, "priority": {"type": "string"}},
                }
            ),
            parameter_mapping=(
                MappingRule(argument="subject", source="parameters.subject", is_required=True),
                MappingRule(argument="priority", source="parameters.priority", default='"Normal"'),
                MappingRule(argument="related_id", source="target.entity_id"),
            ),
            risk_class=RiskClass.LOW,
            effect_class=EffectClass(kind=EffectKind.UPSERT, natural_key="Enact_Key__c"),
            timeout_ms=10_000,
            max_attempts=5,
            backoff=Backoff(),
            compensation=Compensation(strategy=CompensationStrategy.MANUAL, tool_name="crm.delete_task"),
        ),
        **changes,
    )


def make_registry(*entries: ActionType, next_offset: int = 1) -> RegistryView:
    return RegistryView(entries or (make_action_type(),), next_offset=next_offset)


def make_validated(intent: ApprovedIntent | None = None, entry: ActionType | None = None, **changes: Any) -> ValidatedIntent:
    intent, entry = intent or make_intent(), entry or make_action_type()
    return replace(
        ValidatedIntent(
            intent=intent,
            generation=1,
            execution_trace_id=ids.execution_trace_id(intent.tenant_id, intent.action_intent_id),
            registry_version=entry.registry_version,
            registry_digest=entry_digest(entry),
            registry_offset=1,
            admitted_at_ms=NOW_MS,
            intent_sha256=ids.intent_sha256(intent),
        ),
        **changes,
    )


def make_ref(**changes: Any) -> ExternalRef:
    return replace(ExternalRef(system="crm", object_type="Task", object_id="00T1"), **changes)


def make_verdict(status: Status | None = Status.SUCCEEDED, **changes: Any) -> StepVerdict:
    effect = {Status.SUCCEEDED: Effect.APPLIED, Status.IN_DOUBT: Effect.UNKNOWN, None: Effect.NONE}.get(status, Effect.NOT_APPLIED)
    refs = (make_ref(),) if status is Status.SUCCEEDED else ()
    return replace(StepVerdict(status=status, effect=effect, attempt_count=1, external_object_refs=refs), **changes)


def make_result(execute: StepVerdict | None = None, **changes: Any) -> ToolResult:
    return replace(
        ToolResult(
            tenant_id="acme",
            account_id="account-1",
            action_intent_id="int-1",
            generation=1,
            step=Step.EXECUTE,
            attempt=1,
            version=17,
            event_id="event-17",
            execute=execute or make_verdict(),
            compensate=make_verdict(None, attempt_count=0),
            action_type="CREATE_CRM_TASK",
            tool_name="crm.create_task",
            tool_schema_version="1",
            registry_version=1,
            started_at_ms=NOW_MS + 10,
            completed_at_ms=NOW_MS + 20,
            execution_trace_id=ids.execution_trace_id("acme", "int-1"),
            decision_trace_id="trace-1",
        ),
        **changes,
    )


def in_record(
    topic: str, key: bytes | None, value: bytes | None, *, partition: int = 0, offset: int = 0, at_ms: int = NOW_MS, headers: Headers = ()
) -> InRecord:
    return InRecord(topic=topic, partition=partition, offset=Offset(offset), timestamp_ms=at_ms, key=key, value=value, headers=headers)


class SilentSchemaRegistry:
    """A schema registry that does not answer."""

    def header_of(self, cls: type) -> bytes:
        return header_for(1)

    def schema_of(self, schema_id: int) -> Schema | None:
        raise BrokerError("The schema registry does not answer.")


class MemoryState:
    """A stage's state in a dict."""

    def __init__(self, partition: int = 0, values: Mapping[bytes, bytes] | None = None) -> None:
        self.partition = partition
        self.is_silent = False
        self.values = dict(values or {})

    def get(self, key: bytes) -> bytes | None:
        return self.values.get(key)

    def put(self, key: bytes, value: bytes) -> None:
        self.values[key] = value

    def delete(self, key: bytes) -> None:
        self.values.pop(key, None)


class LogOfOne:
    """One partition of a stage's log: appends what the stage appended, reads it back in order, keeps what was sent on."""

    def __init__(self, stage: Stage, state: MemoryState | None = None) -> None:
        self.stage = stage
        self.state = state or MemoryState()
        self.records: list[InRecord] = []
        self.sent: list[Any] = []
        self._folded = 0

    def take(self, *records: InRecord) -> list[Any]:
        """Decide a batch, then read the log back; returns what went out, appends to the log left out."""
        effects = [effect for record in records for effect in self.stage.decide(record, self.state)]
        return [*self.accept(effects), *self.read_back()]

    def accept(self, effects: Iterable[Any]) -> list[Any]:
        out = []
        for effect in effects:
            if isinstance(effect, OutRecord) and effect.topic == self.stage.log:
                self.records.append(
                    in_record(
                        effect.topic, effect.key, effect.value, partition=effect.partition, offset=len(self.records), headers=effect.headers
                    )
                )
            else:
                out.append(effect)
        self.sent += out
        return out

    def read_back(self) -> list[Any]:
        out = []
        while self._folded < len(self.records):
            record = self.records[self._folded]
            self._folded += 1
            out += self.accept(self.stage.fold(record, self.state))
        return out
