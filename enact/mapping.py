"""From an admitted intent to its tool call: pure, so that the same intent and registry version give the same bytes.

Tool mapping uses it to make the call, invocation runs it again before the claim and compares the digest.
A mapping reads only what `intent_sha256` and the action's identity cover, so that nothing which was not
approved can reach an argument.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from enact import canonical, ids
from enact.errors import ErrorCode, MappingError, ValidationError
from enact.json_schema import check_value, found
from enact.records.action_type import ActionType, MappingRule
from enact.records.enums import Step
from enact.records.intent import ApprovedIntent, ValidatedIntent
from enact.records.tool_call import ToolCall

TRANSFORMS: Final = ("PASSTHROUGH", "UPPERCASE", "LOWERCASE", "CONSTANT", "TEMPLATE")
SOURCE_ROOTS: Final = ("parameters", "target", "intent")
INTENT_FIELDS: Final = ("action_intent_id", "tenant_id", "account_id", "action_type", "expires_at_epoch")
TEMPLATE_MARK: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")


def map_intent(validated: ValidatedIntent, entry: ActionType) -> ToolCall:
    """The `execute` call of an admitted intent by the entry of its pinned version.

    Raises: MappingError if a rule cannot be met or the arguments do not fit the tool's schema;
    ValidationError if `parameters` is no exact JSON object.
    """
    return _tool_call(validated.intent, entry, generation=validated.generation, execution_trace_id=validated.execution_trace_id)


def remap(call: ToolCall, entry: ActionType) -> ToolCall:
    """Map again from the intent that a call carries: equal to `call` unless somebody changed one of them.

    Nothing is taken from `call` but its intent, generation and trace id; compare `request_digest`,
    `idempotency_key` and `intent_sha256`.

    Raises: as `map_intent`, and MappingError for a `compensate` call or a refusal, which have no such mapping.
    """
    if call.step is not Step.EXECUTE or call.refusal is not None:
        raise MappingError("Only a call of step execute can be mapped again from its intent.")
    intent = ids.intent_from_json(call.intent)
    return _tool_call(intent, entry, generation=call.generation, execution_trace_id=call.execution_trace_id)


def map_arguments(intent: ApprovedIntent, rules: tuple[MappingRule, ...]) -> dict[str, Any]:
    """The tool arguments by these rules, in rule order; absent optional ones are left out.

    Raises: MappingError naming the argument; ValidationError if `parameters` is no exact JSON object.
    """
    context = _context(intent)
    arguments: dict[str, Any] = {}
    for rule in rules:
        value = _value(rule, context)
        if isinstance(value, _Missing) and rule.default is not None:
            value = canonical.parse_json(rule.default, code=ErrorCode.MAPPING_FAILED)
        if not isinstance(value, _Missing):
            arguments[rule.argument] = value
        elif rule.is_required:
            raise MappingError(f"arguments.{rule.argument} is required, but {value.path} is missing in the intent: give it or a default.")
    return arguments


def parse_parameters(intent: ApprovedIntent) -> dict[str, Any]:
    """The decoded `parameters`.

    Raises: ValidationError PARAMETERS_INVALID or NUMBER_NOT_EXACT.
    """
    parameters = canonical.parse_json(intent.parameters)
    if not isinstance(parameters, dict):
        raise ValidationError(f"parameters: found {found(parameters)}, expected an object: put the parameters into one object.")
    return parameters


@dataclass(frozen=True, slots=True)
class _Missing:
    """No value at this path. JSON null is a value."""

    path: str


def _tool_call(intent: ApprovedIntent, entry: ActionType, *, generation: int, execution_trace_id: str) -> ToolCall:
    arguments = map_arguments(intent, entry.parameter_mapping)
    check_value(arguments, entry.arguments_schema, root="arguments", code=ErrorCode.MAPPING_FAILED)
    policy = intent.execution_policy
    max_attempts = policy.max_attempts if policy and policy.max_attempts is not None else entry.max_attempts
    timeout_ms = policy.timeout_seconds * 1000 if policy and policy.timeout_seconds is not None else entry.timeout_ms
    return ToolCall(
        tenant_id=intent.tenant_id,
        account_id=intent.account_id,
        action_intent_id=intent.action_intent_id,
        generation=generation,
        step=Step.EXECUTE,
        action_type=intent.action_type,
        tool_name=entry.tool_name,
        tool_schema_version=entry.tool_schema_version,
        registry_version=entry.registry_version,
        connector=entry.connector,
        arguments=canonical.canonical_json(arguments).decode(),
        idempotency_key=ids.idempotency_key(intent.tenant_id, intent.action_intent_id, Step.EXECUTE),
        request_digest=ids.request_digest(entry.tool_name, entry.registry_version, arguments),
        effect_class=entry.effect_class,
        timeout_ms=min(timeout_ms, entry.timeout_ms),
        max_attempts=min(max_attempts, entry.max_attempts),
        backoff=entry.backoff,
        expires_at_epoch=intent.expires_at_epoch,
        execution_trace_id=execution_trace_id,
        decision_trace_id=intent.decision_trace_id,
        intent=ids.intent_json(intent),
        intent_sha256=ids.intent_sha256(intent),
    )


def _context(intent: ApprovedIntent) -> dict[str, Any]:
    return {
        "parameters": parse_parameters(intent),
        "target": {"entity_type": intent.target.entity_type, "entity_id": intent.target.entity_id},
        "intent": {name: getattr(intent, name) for name in INTENT_FIELDS},
    }


def _value(rule: MappingRule, context: Mapping[str, Any]) -> Any:
    match rule.transform:
        case "CONSTANT" if rule.value is not None:
            return canonical.parse_json(rule.value, code=ErrorCode.MAPPING_FAILED)
        case "TEMPLATE" if rule.template is not None:
            return _fill(rule.template, context, rule.argument)
        case "PASSTHROUGH" if rule.source is not None:
            return _look_up(context, rule.source)
        case "UPPERCASE" | "LOWERCASE" if rule.source is not None:
            return _in_case(rule, _look_up(context, rule.source))
        case _:
            raise MappingError(f"arguments.{rule.argument}: the rule lacks what its transform needs, or the transform is not known here.")


def _look_up(context: Mapping[str, Any], path: str) -> Any:
    """Follow a dotted path; a number steps into an array."""
    value: Any = context
    for step in path.split("."):
        if isinstance(value, Mapping) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isascii() and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return _Missing(path)
    return value


def _in_case(rule: MappingRule, value: Any) -> Any:
    if isinstance(value, _Missing):
        return value
    if not isinstance(value, str):
        raise MappingError(f"arguments.{rule.argument}: {rule.transform} needs a string, found {found(value)} at {rule.source}.")
    return value.upper() if rule.transform == "UPPERCASE" else value.lower()


def _fill(template: str, context: Mapping[str, Any], argument: str) -> Any:
    """Replace every `{path}` once; what a value contains is never read as a mark. `{{` and `}}` are braces."""
    parts: list[str] = []
    position = 0
    for mark in TEMPLATE_MARK.finditer(template):
        parts.append(template[position : mark.start()])
        position = mark.end()
        if mark.group(1) is None:
            parts.append(mark.group(0)[0])
            continue
        value = _look_up(context, mark.group(1))
        if isinstance(value, _Missing):
            return value
        if value is None or isinstance(value, dict | list):
            raise MappingError(
                f"arguments.{argument}: a template takes text, numbers and booleans, found {found(value)} at {mark.group(1)}."
            )
        parts.append(value if isinstance(value, str) else canonical.canonical_json(value).decode())
    parts.append(template[position:])
    return "".join(parts)
