"""What can be fired in the practice world: three tools that differ in nothing but what they promise about a lost answer."""

from typing import Any, Final

from connectors.contract import Tool
from enact.records import EffectClass, EffectKind

FIRE_PATH: Final = "/sandbox/fire"
KEYED_PATH: Final = "/sandbox/fire-keyed"
NAMED_PATH: Final = "/sandbox/fire-named"
KEY_MEMORY_S: Final = 3_600
"""How long the sandbox remembers an Idempotency-Key. What the tool promises is less: a repeat must arrive well before."""

_ARGUMENTS: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"label": {"type": "string", "minLength": 1, "maxLength": 255}},
    "required": ["label"],
    "additionalProperties": False,
}
_RESULT: Final[dict[str, Any]] = {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}

FIRE_ONCE: Final = Tool(
    name="sandbox.fire_once",
    schema_version="1",
    description="Fire once. Nobody can find out later whether it fired.",
    arguments_schema=_ARGUMENTS,
    result_schema=_RESULT,
    effect_class=EffectClass(kind=EffectKind.NONE),
    timeout_ms=5_000,
)
FIRE_KEYED: Final = Tool(
    name="sandbox.fire_keyed",
    schema_version="1",
    description="Fire under an idempotency key, which the sandbox remembers for a while: a repeat in that time fires nothing.",
    arguments_schema=_ARGUMENTS,
    result_schema=_RESULT,
    effect_class=EffectClass(kind=EffectKind.IDEMPOTENT, key_ttl_s=KEY_MEMORY_S // 2),
    timeout_ms=2_000,
)
FIRE_NAMED: Final = Tool(
    name="sandbox.fire_named",
    schema_version="1",
    description="Fire under a name by which it can be found later; a repeat fires again.",
    arguments_schema=_ARGUMENTS,
    result_schema=_RESULT,
    effect_class=EffectClass(kind=EffectKind.LOOKUP, natural_key="reference", settle_ms=3_000),
    timeout_ms=2_000,
)
TOOLS: Final = (FIRE_ONCE, FIRE_KEYED, FIRE_NAMED)
PATHS: Final = {FIRE_ONCE.name: FIRE_PATH, FIRE_KEYED.name: KEYED_PATH, FIRE_NAMED.name: NAMED_PATH}
