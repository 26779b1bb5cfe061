"""What runs is what was approved: before the claim, the approval and the mapping are looked at once more.

The ToolCall carries the approved intent; the pinned registry entry must still give the same request. Nothing else in the call
is believed, whoever wrote the topic in between.
"""

from collections.abc import Callable

from enact.approval import ApprovalRules
from enact.clock import Clock
from enact.errors import ApprovalError, EnactError, ErrorCode
from enact.ids import intent_sha256_of
from enact.intent_text import WrittenIntent, read_written
from enact.mapping import remap
from enact.records import ActionType, CompensationStrategy, Step, ToolCall
from enact.registry import RegistryView
from services.invocation.gate import Answer, End, Wait

_DRIFT = "The pinned mapping gives another request than the one that was mapped: see the registry's history, then redrive."
_OTHER_UNDOING = "The call undoes something else than the pinned registry version lets this intent's action be undone by: look who sent it."


class RequestCheck:
    """Asks approval and registry about a call: every field must come out again, also deadline, limits and effect class."""

    def __init__(self, registry: Callable[[], RegistryView], clock: Clock, approvals: ApprovalRules | None = None) -> None:
        self._registry, self._clock, self._approvals = registry, clock, approvals or ApprovalRules()

    def ask(self, call: ToolCall) -> Answer | None:
        """None if the call is what was approved; Wait while the registry entry has not been read here yet.

        A signed approval must hold now, at each claim: like the deadline, its end bars a call that was held until then,
        and a repeat. Undoing is covered by the approval of what is undone, whenever that held.
        """
        entry = self._registry().get(call.action_type, call.registry_version)
        if entry is None:
            return Wait("the registry entry has not been read yet")
        is_execute = call.step is Step.EXECUTE
        try:
            carried = read_written(call.intent)
            if is_execute:
                again = remap(call, entry, carried)
                self._approvals.check(carried.intent, again.intent_sha256, now_ms=self._clock.wall_ms())
                is_the_same = again == call
            else:
                digest = intent_sha256_of(carried.intent, carried.parameters_text)
                self._approvals.check(carried.intent, digest, now_ms=None)
                is_the_same = _undoes(call, entry, carried)
        except ApprovalError as error:
            return End(ErrorCode.APPROVAL_INVALID, error.message)
        except EnactError as error:
            return End(ErrorCode.REQUEST_DRIFT, error.message)
        return None if is_the_same else End(ErrorCode.REQUEST_DRIFT, _DRIFT if is_execute else _OTHER_UNDOING)


def _undoes(call: ToolCall, entry: ActionType, carried: WrittenIntent) -> bool:
    """The tool is the one that undoes this intent's action. What it is told is the business of whoever asks to undo."""
    intent, compensation = carried.intent, entry.compensation
    is_its_own = (intent.tenant_id, intent.action_intent_id, intent.action_type) == (
        call.tenant_id,
        call.action_intent_id,
        call.action_type,
    )
    is_its_tool = (compensation.tool_name, entry.connector) == (call.tool_name, call.connector)
    return is_its_own and is_its_tool and compensation.strategy is not CompensationStrategy.NONE
