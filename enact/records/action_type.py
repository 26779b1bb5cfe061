"""Registry entries: how an action type becomes a tool call."""

from msgspec import Struct

from enact.records.enums import CompensationStrategy, RiskClass
from enact.records.tool_call import Backoff, EffectClass


class MappingRule(Struct, frozen=True, kw_only=True):
    """One tool argument. `source` is a dotted path into {parameters, target, intent}; `template` uses {path} marks.

    `transform` is PASSTHROUGH, UPPERCASE, LOWERCASE, CONSTANT (uses `value`, JSON text) or TEMPLATE.
    `default` is JSON text.
    """

    argument: str
    source: str | None = None
    transform: str = "PASSTHROUGH"
    value: str | None = None
    template: str | None = None
    is_required: bool = False
    default: str | None = None


class Compensation(Struct, frozen=True, kw_only=True):
    """How the action is undone, if it can be."""

    strategy: CompensationStrategy
    tool_name: str | None = None
    mapping: tuple[MappingRule, ...] = ()


class ActionType(Struct, frozen=True, kw_only=True):
    """One version of an action type; immutable once applied. Schemas are canonical JSON text."""

    action_type: str
    registry_version: int
    created_at: int
    deprecated_at: int | None = None
    tool_name: str
    tool_schema_version: str
    connector: str
    arguments_schema: str
    parameters_schema: str
    parameter_mapping: tuple[MappingRule, ...]
    required_scopes: tuple[str, ...] = ()
    risk_class: RiskClass
    effect_class: EffectClass
    timeout_ms: int
    max_attempts: int
    backoff: Backoff
    compensation: Compensation
    description: str = ""
