"""What a registry entry may say of a tool's repeats: what the tool keeps, or less. More would turn a lost answer into a second effect."""

from enact.records.enums import EffectKind
from enact.records.tool_call import EffectClass


def excess_of(asked: EffectClass, kept: EffectClass) -> str | None:
    """What an entry asks beyond what its tool keeps, in one sentence; None if nothing. NONE is always less."""
    if asked.kind is EffectKind.NONE:
        return None
    if asked.kind is not kept.kind:
        usable = EffectKind.NONE if kept.kind is EffectKind.NONE else f"{kept.kind} or {EffectKind.NONE}"
        return f"the tool keeps {kept.kind}, not {asked.kind}: say {usable}."
    if kept.key_ttl_s is not None and (asked.key_ttl_s is None or asked.key_ttl_s > kept.key_ttl_s):
        return f"the tool remembers a key for {kept.key_ttl_s} s: key_ttl_s may be that or less."
    if (asked.settle_ms or 0) < (kept.settle_ms or 0):
        return f"what the tool did may take {kept.settle_ms} ms to appear: settle_ms may be that or more."
    return None
