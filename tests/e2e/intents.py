"""Intents as an upstream writes them."""

import json
import time
from typing import Any

from enact.records import Approval, ApprovalSource, ApprovedIntent, Target

TENANTS = ("acme", "globex", "initech")


def make_intent(
    number: int | str, action_type: str = "CREATE_CRM_TASK", *, tenant_id: str = "acme", lifetime_s: int = 3600, **changes: Any
) -> ApprovedIntent:
    """A valid intent; `changes` are fields of ApprovedIntent or `parameters_`, a dict."""
    defaults = {
        "CREATE_CRM_TASK": {"subject": f"Call about {number}"},
        "CREATE_INTERNAL_NOTE": {"title": f"Note {number}"},
        "SANDBOX_FIRE_ONCE": {"label": f"fire {number}"},
        "SANDBOX_FIRE_KEYED": {"label": f"fire {number}"},
        "SANDBOX_FIRE_NAMED": {"label": f"fire {number}"},
    }
    parameters = changes.pop("parameters_", defaults.get(action_type, {}))
    now_s = int(time.time())
    fields: dict[str, Any] = {
        "action_intent_id": f"int-{number}",
        "tenant_id": tenant_id,
        "account_id": "account-1",
        "action_type": action_type,
        "target": Target(entity_type="Account", entity_id="001A"),
        "parameters": json.dumps(parameters),
        "expires_at_epoch": now_s + lifetime_s,
        "status": "APPROVED",
        "approval": Approval(source=ApprovalSource.HUMAN, approved_by="kim", approved_at=now_s, decision_id="dec-1", proposal_id="prop-1"),
        "decision_trace_id": "trace-1",
    }
    return ApprovedIntent(**(fields | changes))
