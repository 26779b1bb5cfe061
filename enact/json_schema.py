"""JSON Schema checks whose findings name fields, types and lengths, never values."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import jsonschema_rs

from enact.errors import ConfigurationError, ErrorCode, ValidationError
from enact.strict_json import shown_name

MAX_FINDINGS = 3
MAX_LIMIT_CHARS = 80
LIMIT_FIELDS = ("limit", "multiple_of", "format", "types", "options", "pattern")
NEXT_STEP = {
    ErrorCode.PARAMETERS_INVALID: "correct it and publish under a new id",
    ErrorCode.MAPPING_FAILED: "correct the mapping in a new registry version, or the parameters",
}


def check_schema(schema: str) -> None:
    """Accept a schema (JSON text) or say why it cannot be used.

    Raises: ConfigurationError if it is no JSON Schema, refers to another document, or has a pattern that
    the linear-time regular expression engine does not know (look-around, back-references).
    """
    _compiled(schema)


def check_value(value: object, schema: str, *, root: str, code: ErrorCode) -> None:
    """Check a decoded JSON value; `root` is the name of the value in messages (`parameters`).

    Raises: ValidationError with `code` that lists up to three findings by field path, or with MAPPING_FAILED
    if the schema itself cannot be used.
    """
    try:
        validator = _compiled(schema)
    except ConfigurationError as error:
        raise ValidationError(f"{root}: {error.message}", code=ErrorCode.MAPPING_FAILED) from error
    if validator.is_valid(value):
        return
    findings: list[str] = []
    for finding in validator.iter_errors(value):
        if len(findings) == MAX_FINDINGS:
            findings.append("and more")
            break
        findings.append(_sentence(finding, root))
    raise ValidationError(f"{'; '.join(findings)}: {NEXT_STEP.get(code, 'correct it')}.", code=code)


def found(value: object) -> str:
    """What a value is, without saying it: `string of 12 characters`."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int():
            return "an integer"
        case float():
            return "a number"
        case str():
            return f"a string of {len(value)} characters"
        case dict():
            return f"an object of {len(value)} fields"
        case list() | tuple():
            return f"an array of {len(value)} items"
        case _:
            return f"a {type(value).__name__}"


@lru_cache(maxsize=512)
def _compiled(schema: str) -> jsonschema_rs.Validator:
    """One compiled validator for each distinct schema text; the text is its own digest here."""
    try:
        # `RegexOptions` = the linear-time engine: a schema's pattern can never hang a stage. `offline` = no `$ref` is fetched.
        return jsonschema_rs.validator_for(schema, validate_formats=True, offline=True, pattern_options=jsonschema_rs.RegexOptions())
    except ValueError as error:
        raise ConfigurationError(f"The JSON Schema cannot be used: {str(error).splitlines()[0]}") from error


def _sentence(finding: jsonschema_rs.ValidationError, root: str) -> str:
    path = _path(root, finding.instance_path)
    kind = finding.kind
    match kind:
        case jsonschema_rs.ValidationErrorKind.Required(name):
            return f"{path}.{shown_name(name)} is required and missing"
        case jsonschema_rs.ValidationErrorKind.AdditionalProperties(names) | jsonschema_rs.ValidationErrorKind.UnevaluatedProperties(names):
            return f"{path} has unknown fields: {', '.join(shown_name(name) for name in names[:MAX_FINDINGS])}"
        case _:
            details = kind.as_dict()
            limits = [_limit(details[field]) for field in LIMIT_FIELDS if field in details]
            return f"{path}: found {found(finding.instance)}, not allowed by {' '.join([kind.name, *limits])}"


def _path(root: str, steps: Sequence[str | int]) -> str:
    return "".join([root, *(f"[{step}]" if isinstance(step, int) else f".{shown_name(step)}" for step in steps)])


def _limit(limit: Any) -> str:
    """What the schema asks for; it is the registry's text, not the intent's."""
    text = " or ".join(str(item) for item in limit) if isinstance(limit, list) else str(limit)
    return text if len(text) <= MAX_LIMIT_CHARS else f"{text[:MAX_LIMIT_CHARS]}…"
