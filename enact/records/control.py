"""Control records: switches and probes, compensation requests, internal objects."""

from msgspec import Struct

from enact.records.enums import SwitchMode, SwitchState
from enact.records.execution_event import ExternalRef


class Switch(Struct, frozen=True, kw_only=True):
    """One engagement of a kill switch. `scope` is `global`, `tenant:…`, `action_type:…` or `connector:…`."""

    scope: str
    engagement_id: str
    state: SwitchState
    mode: SwitchMode
    actor: str
    reason: str
    at_ms: int


class Probe(Struct, frozen=True, kw_only=True):
    """A ping through the switches topic: reading it back proves that every earlier switch was read."""

    slot: str
    incarnation: str
    nonce: str
    sent_ms: int


class CompensationRequest(Struct, frozen=True, kw_only=True):
    """Asks for the undoing of what is on record."""

    tenant_id: str
    action_intent_id: str
    generation: int
    request_id: str
    reason: str
    requested_by: str
    refs: tuple[ExternalRef, ...] = ()
    registry_version: int


class InternalObject(Struct, frozen=True, kw_only=True):
    """A task or note kept by enact itself on a compacted topic. `fields` is canonical JSON text."""

    object_id: str
    tenant_id: str
    object_type: str
    fields: str
    is_deleted: bool = False
