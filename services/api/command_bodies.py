"""The bodies of orders about one execution: what is asked, by whom and why, and what its owner answered."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from enact.command_answers import Accepted, Recorded
from enact.records import ExternalRef, Status
from services.api.switch_bodies import Name, Words

StepName = Literal["execute", "compensate"]
RefText = Annotated[str, Meta(min_length=1, max_length=128)]
Url = Annotated[str, Meta(min_length=1, max_length=256)]


class CancelOrder(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask that nothing (more) is done."""

    actor: Name
    reason: Words


class FoundObject(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An object that a person found in the other system."""

    system: RefText
    object_type: RefText
    object_id: RefText
    object_url: Url | None = None


class Applied(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="finding", tag="APPLIED"):
    """It was done: the objects that were found, if any. Counts at any time, against whatever was said before."""

    actor: Name
    reason: Words
    external_object_refs: Annotated[list[FoundObject], Meta(max_length=10)] = []
    step: StepName = "execute"

    @property
    def refs(self) -> tuple[ExternalRef, ...]:
        """The objects as the log keeps them."""
        return tuple(
            ExternalRef(system=one.system, object_type=one.object_type, object_id=one.object_id, object_url=one.object_url)
            for one in self.external_object_refs
        )


class NotApplied(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="finding", tag="NOT_APPLIED"):
    """It was not done: every undecided call of the step. Refused while the call may still be under way."""

    actor: Name
    reason: Words
    step: StepName = "execute"


ResolveOrder = Applied | NotApplied


class RedriveOrder(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask that an ended step runs again."""

    actor: Name
    reason: Words
    step: StepName = "execute"


class CommandDone(Struct, frozen=True, kw_only=True):
    """ACCEPTED: the log has it and it counts. RECORDED (202): it is in the log, its owner has not answered yet."""

    answer: Literal["ACCEPTED", "RECORDED"]
    command_id: str
    status: Status | None
    message: str


def done(answer: Accepted | Recorded) -> CommandDone:
    """The body of an answer that refuses nothing."""
    word: Literal["ACCEPTED", "RECORDED"] = "ACCEPTED" if isinstance(answer, Accepted) else "RECORDED"
    return CommandDone(answer=word, command_id=answer.command_id, status=answer.status, message=answer.message)
