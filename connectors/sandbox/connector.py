"""The connector to `Fire`: a tool with no way to repeat or to ask, so that a lost answer ends in doubt."""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from connectors.access import AccessTokens
from connectors.answers import failure_of, json_of
from connectors.arguments import ArgumentCheck
from connectors.contract import Call, CallResult, Health, Tool
from connectors.credentials import CredentialStore
from connectors.http import HttpClient
from connectors.outbound_call import request_for
from enact.clock import Clock
from enact.errors import PermanentError, UnusableAnswerError
from enact.records import EffectClass, EffectKind, ExternalRef, Step

PATH: Final = "/sandbox/fire"
FIRE_ONCE: Final = Tool(
    name="sandbox.fire_once",
    schema_version="1",
    description="Fire once. Nobody can find out later whether it fired.",
    arguments_schema={
        "type": "object",
        "properties": {"label": {"type": "string", "minLength": 1, "maxLength": 255}},
        "required": ["label"],
        "additionalProperties": False,
    },
    result_schema={"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]},
    effect_class=EffectClass(kind=EffectKind.NONE),
    timeout_ms=5_000,
)
TOOLS: Final = (FIRE_ONCE,)


class SandboxConnector:
    """Fires in the sandbox. Every call has a connection of its own: an idle one that breaks would leave it in doubt."""

    name: Final = "sandbox"

    def __init__(self, http: HttpClient, store: CredentialStore, clock: Clock) -> None:
        self._http = http
        self._tokens = AccessTokens(store, http, clock)
        self._clock = clock
        self._arguments = ArgumentCheck(TOOLS)

    def tools(self) -> tuple[Tool, ...]:
        """Fire once."""
        return TOOLS

    def validate(self, tool_name: str, arguments: Mapping[str, Any]) -> None:
        """Check arguments. Raises: PermanentError."""
        self._arguments.check(tool_name, arguments)

    async def execute(self, call: Call) -> CallResult:
        """Fire."""
        self._arguments.check_call(call, Step.EXECUTE)
        access = await self._tokens.get(call.tenant_id, self.name)
        body = orjson.dumps({"label": call.arguments["label"]})
        answer = await self._http.send(request_for(call, access, method="POST", path=PATH, body=body, is_fresh=True))
        failure = failure_of(answer, system="The sandbox", provider_code=None, not_applied={}, clock=self._clock)
        error = self._tokens.settle(access, answer.status, failure)
        if error is not None:
            raise error
        said = json_of(answer, system="The sandbox")
        fire_id = said.get("id") if isinstance(said, dict) else None
        if not isinstance(fire_id, str):
            raise UnusableAnswerError(f"The sandbox answered {answer.status} without an id; it may have fired.")
        ref = ExternalRef(system=self.name, object_type="Fire", object_id=fire_id)
        return CallResult(refs=(ref,), tool_run_ref=call.attempt_marker, response=answer.body)

    async def compensate(self, call: Call) -> CallResult:
        """What was fired stays fired. Raises: PermanentError."""
        self._arguments.check_call(call, Step.COMPENSATE)
        raise PermanentError(f"{call.tool_name} cannot be undone.")

    async def look_up(self, call: Call) -> CallResult | None:
        """Nobody can find out. Raises: PermanentError."""
        raise PermanentError(f"{call.tool_name} offers no look-up: a person has to find out and say.")

    async def health(self) -> Health:
        """The sandbox is asked by the CRM connector."""
        return Health(ok=True, detail="The sandbox runs on this machine.")

    async def close(self) -> None:
        """Close the HTTP client, which the connectors of a process share: they are closed together."""
        await self._http.close()
