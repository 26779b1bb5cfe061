"""The connector to `Fire`: one tool for each promise about a lost answer, so that each can be practised."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import orjson

from connectors.access import AccessTokens
from connectors.answers import failure_of, json_of
from connectors.arguments import ArgumentCheck
from connectors.contract import Call, CallResult, Health, Tool
from connectors.credentials import CredentialStore
from connectors.http import HttpClient
from connectors.outbound_call import request_for
from connectors.sandbox.tools import FIRE_NAMED, NAMED_PATH, PATHS, TOOLS
from enact.clock import Clock
from enact.errors import AmbiguousError, DownstreamError, PermanentError, UnusableAnswerError
from enact.records import ExternalRef, Step


class SandboxConnector:
    """Fires in the sandbox. Every call has a connection of its own: an idle one that breaks would leave it in doubt."""

    name: Final = "sandbox"

    def __init__(self, http: HttpClient, store: CredentialStore, clock: Clock) -> None:
        self._http = http
        self._tokens = AccessTokens(store, http, clock)
        self._clock = clock
        self._arguments = ArgumentCheck(TOOLS)

    def tools(self) -> tuple[Tool, ...]:
        """Three ways to fire."""
        return TOOLS

    def validate(self, tool_name: str, arguments: Mapping[str, Any]) -> None:
        """Check arguments. Raises: PermanentError."""
        self._arguments.check(tool_name, arguments)

    async def execute(self, call: Call) -> CallResult:
        """Fire."""
        self._arguments.check_call(call, Step.EXECUTE)
        access = await self._tokens.get(call.tenant_id, self.name)
        reference = {"reference": call.idempotency_key} if call.tool_name == FIRE_NAMED.name else {}
        body = orjson.dumps({"label": call.arguments["label"], **reference})
        answer = await self._http.send(request_for(call, access, method="POST", path=PATHS[call.tool_name], body=body, is_fresh=True))
        failure = failure_of(answer, system="The sandbox", provider_code=None, not_applied={}, clock=self._clock)
        error = self._tokens.settle(access, answer.status, failure)
        if error is not None:
            raise error
        said = json_of(answer, system="The sandbox")
        fire_id = said.get("id") if isinstance(said, dict) else None
        if not isinstance(fire_id, str):
            raise UnusableAnswerError(f"The sandbox answered {answer.status} without an id; it may have fired.")
        return self._result(call, fire_id, answer.body)

    async def compensate(self, call: Call) -> CallResult:
        """What was fired stays fired. Raises: PermanentError."""
        self._arguments.check_call(call, Step.COMPENSATE)
        raise PermanentError(f"{call.tool_name} cannot be undone.")

    async def look_up(self, call: Call) -> CallResult | None:
        """Ask for the reference of `fire_named`. Raises: PermanentError for the others: nobody can find out."""
        if call.tool_name != FIRE_NAMED.name:
            raise PermanentError(f"{call.tool_name} offers no look-up: a person has to find out and say.")
        self._arguments.check_call(call, Step.EXECUTE)
        access = await self._tokens.get(call.tenant_id, self.name)
        path = f"{NAMED_PATH}?reference={quote(call.idempotency_key, safe='')}"
        try:
            answer = await self._http.send(request_for(call, access, method="GET", path=path, is_fresh=True))
            failure = failure_of(answer, system="The sandbox", provider_code=None, not_applied={}, clock=self._clock)
            error = self._tokens.settle(access, answer.status, failure)
            if error is not None:
                raise error
            said = json_of(answer, system="The sandbox")
        except AmbiguousError as lost:  # of a question it is certain that it changed nothing
            raise DownstreamError("The sandbox did not answer the look-up; it may be asked again.") from lost
        match said:
            case {"ids": []}:
                return None
            case {"ids": [str(fire_id), *_]}:
                return self._result(call, fire_id, answer.body)
            case _:
                raise DownstreamError("The sandbox's answer to the look-up holds no ids; it may be asked again.")

    async def health(self) -> Health:
        """The sandbox is asked by the CRM connector."""
        return Health(ok=True, detail="The sandbox runs on this machine.")

    async def close(self) -> None:
        """Close the HTTP client, which the connectors of a process share: they are closed together."""
        await self._http.close()

    def _result(self, call: Call, fire_id: str, response: bytes) -> CallResult:
        ref = ExternalRef(system=self.name, object_type="Fire", object_id=fire_id)
        return CallResult(refs=(ref,), tool_run_ref=call.attempt_marker, response=response)
