"""Whole records for tests, each new on every call."""

from typing import Any

from enact.records import (
    Approval,
    ApprovalSource,
    ApprovedIntent,
    Claimed,
    EffectClass,
    EffectKind,
    EventType,
    ExecutionEvent,
    ExecutionPolicy,
    Owner,
    Step,
    Target,
    ToolCall,
)


def an_intent(**changes: Any) -> ApprovedIntent:
    values: dict[str, Any] = {
        "action_intent_id": "int-1",
        "tenant_id": "acme",
        "account_id": "acc-1",
        "action_type": "CREATE_CRM_TASK",
        "target": Target(entity_type="OPPORTUNITY", entity_id="006A"),
        "parameters": '{"due":"2026-12-01","subject":"Call Zoë"}',
        "expires_at_epoch": 1_790_000_000,
        "status": "APPROVED",
        "approval": Approval(
            source=ApprovalSource.HUMAN, approved_by="sam", approved_at=1_789_000_000, decision_id="d-1", proposal_id="p-1"
        ),
        "execution_policy": ExecutionPolicy(max_attempts=2),
    }
    return ApprovedIntent(**{**values, **changes})


def an_intent_tree(**changes: Any) -> dict[str, Any]:
    """`an_intent` as upstream would write it in JSON: parameters as an object, optional fields left out."""
    tree: dict[str, Any] = {
        "action_intent_id": "int-1",
        "tenant_id": "acme",
        "account_id": "acc-1",
        "action_type": "CREATE_CRM_TASK",
        "target": {"entity_type": "OPPORTUNITY", "entity_id": "006A"},
        "parameters": {"subject": "Call Zoë", "due": "2026-12-01"},
        "expires_at_epoch": 1_790_000_000,
        "status": "APPROVED",
        "approval": {
            "source": "HUMAN",
            "approved_by": "sam",
            "approved_at": 1_789_000_000,
            "decision_id": "d-1",
            "proposal_id": "p-1",
        },
        "execution_policy": {"max_attempts": 2},
    }
    return {**tree, **changes}


def a_call(**changes: Any) -> ToolCall:
    values: dict[str, Any] = {
        "tenant_id": "acme",
        "account_id": "acc-1",
        "action_intent_id": "int-1",
        "generation": 1,
        "step": Step.EXECUTE,
        "tool_name": "crm.create_task",
        "arguments": '{"subject":"Call"}',
    }
    return ToolCall(**{**values, **changes})


def a_claim_event(**changes: Any) -> ExecutionEvent:
    data = Claimed(
        attempt=1,
        nonce="n-1",
        owner=Owner(boot_id="b", instance_id="i", incarnation_id="x"),
        request_digest="ab" * 32,
        effect_class=EffectClass(kind=EffectKind.UPSERT, natural_key="Key__c"),
        max_attempts=3,
        lease_ms=15_000,
        fold_version=1,
    )
    values: dict[str, Any] = {
        "tenant_id": "acme",
        "action_intent_id": "int-1",
        "generation": 1,
        "step": Step.EXECUTE,
        "event_id": "e-1",
        "type": EventType.CLAIMED,
        "at_ms": 1_790_000_000_000,
        "actor": "invocation",
        "data": data,
    }
    return ExecutionEvent(**{**values, **changes})
