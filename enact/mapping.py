"""From an admitted intent to its tool call: pure, so that the same intent and registry version give the same bytes.

Tool mapping uses it to make the call, invocation runs it again before the claim and compares the digest.
A mapping reads only what `intent_sha256` and the action's identity cover, so that nothing which was not
approved can reach an argument.
"""

from operator import attrgetter
from typing import Any, Final

from enact import canonical, ids
from enact.argument_rules import Missing, rules_ready
from enact.errors import ErrorCode, MappingError
from enact.intent_text import WrittenIntent, read_written, written
from enact.json_schema import check_value
from enact.records.action_type import ActionType, MappingRule
from enact.records.enums import Step
from enact.records.intent import ApprovedIntent, ValidatedIntent
from enact.records.tool_call import ToolCall

TRANSFORMS: Final = ("PASSTHROUGH", "UPPERCASE", "LOWERCASE", "CONSTANT", "TEMPLATE")
SOURCE_ROOTS: Final = ("parameters", "target", "intent")
INTENT_FIELDS: Final = ("action_intent_id", "tenant_id", "account_id", "action_type", "expires_at_epoch")
_intent_fields: Final = attrgetter(*INTENT_FIELDS)


def map_intent(validated: ValidatedIntent, entry: ActionType) -> ToolCall:
    """The `execute` call of an admitted intent by the entry of its pinned version.

    Raises: MappingError if a rule cannot be met or the arguments do not fit the tool's schema;
    ValidationError if `parameters` is no exact JSON object.
    """
    return _tool_call(written(validated.intent), entry, generation=validated.generation, execution_trace_id=validated.execution_trace_id)


def remap(call: ToolCall, entry: ActionType, carried: WrittenIntent | None = None) -> ToolCall:
    """Map again from the intent that a call carries: equal to `call` unless somebody changed one of them.

    Nothing is taken from `call` but its intent, generation and trace id; compare the whole call. `carried` is what
    `read_written(call.intent)` gave, for those who have it already.

    Raises: as `map_intent`, and MappingError for a `compensate` call or a refusal, which have no such mapping.
    """
    if call.step is not Step.EXECUTE or call.refusal is not None:
        raise MappingError("Only a call of step execute can be mapped again from its intent.")
    intent = carried if carried is not None else read_written(call.intent)
    return _tool_call(intent, entry, generation=call.generation, execution_trace_id=call.execution_trace_id)


def map_arguments(intent: ApprovedIntent, rules: tuple[MappingRule, ...]) -> dict[str, Any]:
    """The tool arguments by these rules, in rule order; absent optional ones are left out.

    Raises: MappingError naming the argument; ValidationError if `parameters` is no exact JSON object, or a constant
    or default is no exact JSON.
    """
    return _arguments(written(intent), rules)


def _arguments(intent: WrittenIntent, rules: tuple[MappingRule, ...]) -> dict[str, Any]:
    context = _context(intent)
    arguments: dict[str, Any] = {}
    for rule in rules_ready(rules):
        value = rule.source(context)
        if type(value) is not Missing:
            arguments[rule.argument] = value
        elif rule.default is not None:
            arguments[rule.argument] = rule.default(context)
        elif rule.is_required:
            raise MappingError(f"arguments.{rule.argument} is required, but {value.path} is missing in the intent: give it or a default.")
    return arguments


def _tool_call(written_intent: WrittenIntent, entry: ActionType, *, generation: int, execution_trace_id: str) -> ToolCall:
    intent = written_intent.intent
    arguments = _arguments(written_intent, entry.parameter_mapping)
    check_value(arguments, entry.arguments_schema, root="arguments", code=ErrorCode.MAPPING_FAILED)
    arguments_text = canonical.canonical_json(arguments).decode()
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
        arguments=arguments_text,
        idempotency_key=ids.idempotency_key(intent.tenant_id, intent.action_intent_id, Step.EXECUTE),
        request_digest=ids.request_digest_of(entry.tool_name, entry.registry_version, arguments_text),
        effect_class=entry.effect_class,
        timeout_ms=min(timeout_ms, entry.timeout_ms),
        max_attempts=min(max_attempts, entry.max_attempts),
        backoff=entry.backoff,
        expires_at_epoch=intent.expires_at_epoch,
        execution_trace_id=execution_trace_id,
        decision_trace_id=intent.decision_trace_id,
        intent=written_intent.text,
        intent_sha256=ids.intent_sha256_of(intent, written_intent.parameters_text),
    )


def _context(written_intent: WrittenIntent) -> dict[str, Any]:
    intent: ApprovedIntent = written_intent.intent
    return {
        "parameters": written_intent.parameters,
        "target": {"entity_type": intent.target.entity_type, "entity_id": intent.target.entity_id},
        "intent": dict(zip(INTENT_FIELDS, _intent_fields(intent), strict=True)),
    }
