"""The bodies about switches: what is stopped, what a stop finds, and the order to engage or release."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from enact.records import Status, Switch, SwitchMode, SwitchState
from enact.switch_view import Engagement
from services.api.bodies import Time, time_text
from services.api.parameters import ID_SCHEMA

Count = Annotated[int, Meta(ge=0)]
SOMETHING_SEEN = r"[^\x00-\x20\x7f-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]"
"""One character that is no space, said so that every dialect of patterns means the same by it."""
Words = Annotated[str, Meta(min_length=1, max_length=1_000, pattern=SOMETHING_SEEN)]
Name = Annotated[str, Meta(pattern=str(ID_SCHEMA["pattern"]))]


class Engaged(Struct, frozen=True, kw_only=True):
    """One open engagement: since when, by whom and why."""

    scope: str
    engagement_id: str
    mode: SwitchMode
    since: Time | None
    by: str
    reason: str


class SwitchList(Struct, frozen=True, kw_only=True):
    """Everything that is stopped. `age_ms`: how old this may be."""

    switches: list[Engaged]
    age_ms: Count


class Affected(Struct, frozen=True, kw_only=True):
    """Executions in a scope that have not ended. In flight: a call is under way and finishes. Waiting: begun, no call under way."""

    in_flight: Count
    held: Count
    in_doubt: Count
    waiting: Count


class ScopeState(Struct, frozen=True, kw_only=True):
    """One scope: whether it is stopped, by which engagements, and what is there. `is_known` null: nobody looked."""

    scope: str
    is_stopped: bool
    engagements: list[Engaged]
    affected: Affected
    is_known: bool | None
    age_ms: Count


class Engage(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="state", tag="ENGAGED"):
    """Stop the scope (once more). The engagement gets an id of its own."""

    actor: Name
    reason: Words
    mode: Literal["HOLD", "REJECT"] = "HOLD"


class Release(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="state", tag="RELEASED"):
    """End the engagement that is named; unnamed, the only one there is; all of them with `is_all`."""

    actor: Name
    reason: Words
    engagement_id: Name | None = None
    is_all: bool = False


SwitchOrder = Engage | Release


class SwitchDone(Struct, frozen=True, kw_only=True):
    """What an order did: the engagements it began or ended, and the scope after it. `affected` null: it cannot be told now."""

    scope: str
    state: SwitchState
    changed: list[Engaged]
    is_stopped: bool
    engagements: list[Engaged]
    affected: Affected | None
    is_known: bool | None


def engaged_line(one: Engagement) -> Engaged:
    """An engagement as a view of the topic holds it."""
    return Engaged(
        scope=one.scope,
        engagement_id=one.engagement_id,
        mode=one.mode,
        since=time_text(one.since_ms),
        by=one.actor,
        reason=one.reason,
    )


def switch_line(one: Switch) -> Engaged:
    """A switch as an order wrote it."""
    return engaged_line(Engagement(one.scope, one.engagement_id, one.mode, one.actor, one.reason, one.at_ms))


def affected_of(counts: dict[str, int]) -> Affected:
    """Counts by status as the words of an answer."""
    return Affected(
        in_flight=counts.get(Status.EXECUTING.value, 0),
        held=counts.get(Status.HELD.value, 0),
        in_doubt=counts.get(Status.IN_DOUBT.value, 0),
        waiting=counts.get(Status.PENDING.value, 0) + counts.get(Status.RETRYING.value, 0),
    )
