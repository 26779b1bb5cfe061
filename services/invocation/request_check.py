"""What runs is what was approved: before the claim, the approval and the mapping are looked at once more.

The ToolCall carries the approved intent; the pinned registry entry must still give the same request.
"""

from collections.abc import Callable

from enact.approval import SignatureCheck, check_approval
from enact.errors import ApprovalError, EnactError, ErrorCode
from enact.intent_text import read_written
from enact.mapping import remap
from enact.records import Step, ToolCall
from enact.registry import RegistryView
from services.invocation.gate import Answer, End, Wait

_DRIFT = "The pinned mapping gives another request than the one that was mapped: see the registry's history, then redrive."


class RequestCheck:
    """Asks approval and registry about a call: every field must come out again, also deadline, limits and effect class."""

    def __init__(self, registry: Callable[[], RegistryView], check_signature: SignatureCheck | None = None) -> None:
        self._registry, self._check_signature = registry, check_signature

    def ask(self, call: ToolCall) -> Answer | None:
        """None if the call is what was approved; Wait while the registry entry has not been read here yet."""
        if call.step is not Step.EXECUTE:
            return None
        entry = self._registry().get(call.action_type, call.registry_version)
        if entry is None:
            return Wait("the registry entry has not been read yet")
        try:
            carried = read_written(call.intent)
            check_approval(carried.intent, self._check_signature)
            again = remap(call, entry, carried)
        except ApprovalError as error:
            return End(ErrorCode.APPROVAL_INVALID, error.message)
        except EnactError as error:
            return End(ErrorCode.REQUEST_DRIFT, error.message)
        return None if again == call else End(ErrorCode.REQUEST_DRIFT, _DRIFT)
