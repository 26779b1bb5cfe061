"""Keeps notes, tasks and briefs as records of a compacted topic, one for each idempotency key."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from connectors.arguments import ArgumentCheck
from connectors.contract import Call, CallResult, Health, Tool
from connectors.internal.tools import OBJECT_TYPES, TOOLS
from enact.canonical import canonical_json
from enact.errors import AmbiguousError, DeliveryError, PermanentError, RecordTooLargeError, RejectedError
from enact.failpoints import Failpoint, hit
from enact.ids import idempotency_key, key_of
from enact.records import ExternalRef, InternalObject, Step
from enact.records.codec import encode

Publish = Callable[[bytes, bytes], Awaitable[None]]
"""Writes (key, value) to the internal objects' topic and returns when the broker has acknowledged it.

Raises: DeliveryError if it was not acknowledged (it may be in the log all the same), RecordTooLargeError.
"""


class InternalConnector:
    """Writes the object under (tenant, idempotency key): the same call again writes the same bytes under the same key."""

    name: Final = "internal"

    def __init__(self, publish: Publish) -> None:
        self._publish = publish
        self._arguments = ArgumentCheck(TOOLS)

    def tools(self) -> tuple[Tool, ...]:
        """Create and delete notes and tasks; attach briefs and take them back."""
        return TOOLS

    def validate(self, tool_name: str, arguments: Mapping[str, Any]) -> None:
        """Check arguments. Raises: PermanentError."""
        self._arguments.check(tool_name, arguments)

    async def execute(self, call: Call) -> CallResult:
        """Keep the object. Its id is made of the idempotency key."""
        self._arguments.check_call(call, Step.EXECUTE)
        return await self._write(call, call.idempotency_key, dict(call.arguments), is_deleted=False)

    async def compensate(self, call: Call) -> CallResult:
        """Mark the object of the `execute` step as deleted; readers hide it, the topic keeps the fact."""
        self._arguments.check_call(call, Step.COMPENSATE)
        key = idempotency_key(call.tenant_id, call.action_intent_id, Step.EXECUTE)
        return await self._write(call, key, {}, is_deleted=True)

    async def look_up(self, call: Call) -> CallResult | None:
        """Not offered: writing again under the same key is the answer to a lost one. Raises: PermanentError."""
        raise PermanentError(f"{call.tool_name} offers no look-up: repeat the call under its key instead.")

    async def health(self) -> Health:
        """As healthy as the broker, which has a health of its own."""
        return Health(ok=True, detail="Internal objects are written to the broker.")

    async def close(self) -> None:
        """Nothing to close."""

    async def _write(self, call: Call, key: str, fields: dict[str, Any], *, is_deleted: bool) -> CallResult:
        object_type = OBJECT_TYPES[call.tool_name]
        record = InternalObject(
            object_id=f"{object_type}-{key}",
            tenant_id=call.tenant_id,
            object_type=object_type,
            fields=canonical_json(fields).decode(),
            is_deleted=is_deleted,
        )
        value = encode(record)
        call.last_look()
        hit(Failpoint.BEFORE_FIRST_BYTE)
        try:
            await self._publish(key_of(call.tenant_id, key), value)
            hit(Failpoint.AFTER_FIRST_BYTE)
        except RecordTooLargeError as error:
            raise RejectedError(f"The {object_type} is larger than the topic accepts: shorten it.") from error
        except DeliveryError as error:
            raise AmbiguousError(f"The {object_type} was not acknowledged; it may have been written.") from error
        except TimeoutError as error:
            raise AmbiguousError(f"The {object_type} was not acknowledged in time; it may have been written.") from error
        ref = ExternalRef(system=self.name, object_type=object_type, object_id=record.object_id)
        response = canonical_json({"object_id": record.object_id, "object_type": object_type})
        return CallResult(refs=(ref,), tool_run_ref=None, response=response)
