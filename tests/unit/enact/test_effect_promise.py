"""An entry asks of its tool what the tool keeps, or less."""

import pytest

from enact.effect_promise import excess_of
from enact.records import EffectClass, EffectKind

NONE = EffectClass(kind=EffectKind.NONE)
UPSERT = EffectClass(kind=EffectKind.UPSERT, natural_key="Id")


def keyed(ttl_s: int | None) -> EffectClass:
    return EffectClass(kind=EffectKind.IDEMPOTENT, key_ttl_s=ttl_s)


def asked_after(settle_ms: int | None) -> EffectClass:
    return EffectClass(kind=EffectKind.LOOKUP, settle_ms=settle_ms)


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        (NONE, NONE),
        (NONE, UPSERT),
        (UPSERT, UPSERT),
        (keyed(100), keyed(100)),
        (keyed(99), keyed(100)),
        (keyed(5), keyed(None)),
        (keyed(None), keyed(None)),
        (asked_after(3_000), asked_after(3_000)),
        (asked_after(4_000), asked_after(3_000)),
        (asked_after(None), asked_after(None)),
    ],
)
def test_as_much_or_less_is_fine(asked: EffectClass, kept: EffectClass) -> None:
    assert excess_of(asked, kept) is None


@pytest.mark.parametrize(
    ("asked", "kept", "words"),
    [
        (UPSERT, NONE, "not UPSERT: say NONE."),
        (keyed(5), UPSERT, "not IDEMPOTENT: say UPSERT or NONE."),
        (keyed(101), keyed(100), "for 100 s"),
        (keyed(None), keyed(100), "for 100 s"),
        (asked_after(2_999), asked_after(3_000), "3000 ms to appear"),
        (asked_after(None), asked_after(3_000), "3000 ms to appear"),
    ],
)
def test_more_is_said_in_one_sentence(asked: EffectClass, kept: EffectClass, words: str) -> None:
    assert words in (excess_of(asked, kept) or "")
