"""Bounds: which effect class, which faults and which people, how many claims, ticks and events."""

from dataclasses import dataclass
from functools import cached_property

from enact.records import Effect, EffectClass, EffectKind
from tests.unit.enact.execution_model.world import SETTLE_MS, START_MS, TICK_MS

NONE = EffectClass(kind=EffectKind.NONE)
UPSERT = EffectClass(kind=EffectKind.UPSERT, natural_key="external_id")
LOOKUP = EffectClass(kind=EffectKind.LOOKUP, settle_ms=SETTLE_MS)

CALLED = (Effect.APPLIED, Effect.NOT_APPLIED, Effect.UNKNOWN)


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One bounded search.

    `faults` and `people` happen at most once each, in any order: crash, rewind, give_up, weeks, retention; cancel, deny,
    confirm, redrive. `is_hopeful` = an owner that takes over also asserts that nothing happened. `opening` = moves
    that have been made, by the beginning of their labels.
    """

    name: str
    effect_class: EffectClass
    faults: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    answers: tuple[Effect, ...] = CALLED
    max_attempts: int = 2
    claims_per_owner: int = 1
    ticks: int = 0
    max_log: int = 6
    expires_after_ticks: int | None = None
    has_late_answers: bool = False
    is_hopeful: bool = False
    owners: int = 2
    opening: tuple[str, ...] = ()

    @cached_property
    def expires_s(self) -> int:
        """The deadline of the execution."""
        ticks = self.expires_after_ticks if self.expires_after_ticks is not None else 1_000
        return (START_MS + ticks * TICK_MS) // 1000


_SENT = ("A claims", "lands A", "A reads")
_LOST = (*_SENT, "A learns of A1: UNKNOWN", "lands A")
_APPLIED_OR_LOST = (Effect.APPLIED, Effect.UNKNOWN)

TWO_OWNERS = Scenario(name="two owners and a cancel", effect_class=NONE, faults=("give_up",), people=("cancel",), max_log=5)
TWO_CLAIMS = Scenario(
    name="two owners with two claims each",
    effect_class=NONE,
    faults=("give_up",),
    opening=_SENT,
    claims_per_owner=2,
    max_log=5,
    answers=(Effect.APPLIED,),
)
READ_TWICE = Scenario(name="a batch is read twice", effect_class=NONE, faults=("rewind",), people=("cancel",), max_log=5)
CRASH = Scenario(name="a crash and a take-over", effect_class=NONE, faults=("crash",), ticks=1, opening=_SENT, max_log=4)
LATE = Scenario(
    name="the truth comes late", effect_class=NONE, has_late_answers=True, ticks=1, opening=_LOST, max_log=5, people=("cancel",)
)
HOPEFUL = Scenario(name="a hopeful take-over", effect_class=NONE, ticks=1, is_hopeful=True, opening=_SENT, max_log=5)
DENIED = Scenario(
    name="a person denies and drives again", effect_class=NONE, people=("deny", "redrive"), ticks=1, max_attempts=1, opening=_SENT,
    answers=_APPLIED_OR_LOST, max_log=5,
)  # fmt: skip
CONFIRMED = Scenario(name="a person confirms", effect_class=NONE, people=("confirm", "cancel"), ticks=1, opening=_LOST, max_log=6)
REDRIVEN = Scenario(
    name="cancel and redrive", effect_class=NONE, people=("redrive", "cancel"), max_attempts=1, ticks=1, opening=_SENT,
    answers=(Effect.NOT_APPLIED, Effect.APPLIED), max_log=5,
)  # fmt: skip
LOOKED_UP = Scenario(
    name="look-ups before and after settle", effect_class=LOOKUP, ticks=2, opening=_LOST, answers=(Effect.UNKNOWN,), max_log=4
)
REPEATED = Scenario(
    name="same-key repeats", effect_class=UPSERT, faults=("crash",), claims_per_owner=2, answers=_APPLIED_OR_LOST, max_log=4
)
OTHER_REQUEST = Scenario(
    name="another request after a redrive", effect_class=UPSERT, people=("redrive",), ticks=1, max_attempts=1, max_log=5
)
DEADLINE = Scenario(
    name="a deadline, and a part that was done", effect_class=NONE, ticks=1, expires_after_ticks=1, opening=_SENT,
    answers=(Effect.PARTIAL, Effect.NOT_APPLIED), max_log=5,
)  # fmt: skip
RETENTION = Scenario(
    name="retention cuts the beginning", effect_class=NONE, faults=("weeks", "retention"), people=("cancel",), opening=_SENT,
    answers=(Effect.NOT_APPLIED,), max_log=4, claims_per_owner=2, owners=1,
)  # fmt: skip

UNIT = (
    TWO_OWNERS,
    TWO_CLAIMS,
    READ_TWICE,
    CRASH,
    LATE,
    HOPEFUL,
    DENIED,
    CONFIRMED,
    REDRIVEN,
    LOOKED_UP,
    REPEATED,
    OTHER_REQUEST,
    DEADLINE,
    RETENTION,
)

DEEP = tuple(
    Scenario(
        name=f"deep: {effect_class.kind.value.lower()}, {', '.join((*faults, *people))}",
        effect_class=effect_class,
        faults=faults,
        people=people,
        ticks=2 if effect_class is LOOKUP else 1,
        max_log=4 if effect_class is LOOKUP else 5,
        max_attempts=max_attempts,
        has_late_answers=effect_class is not LOOKUP,
        expires_after_ticks=1 if "retention" not in faults else None,
        opening=_LOST if effect_class is LOOKUP else _SENT,
        answers=_APPLIED_OR_LOST,
        owners=1 if "retention" in faults else 2,
        claims_per_owner=2 if "retention" in faults else 1,
    )
    for effect_class in (NONE, LOOKUP, UPSERT)
    for faults, people, max_attempts in (
        (("crash",), (), 2),
        (("give_up",), ("cancel",), 2),
        (("rewind",), ("deny", "redrive"), 1),
        (("weeks", "retention"), ("deny",), 2),
    )
)
