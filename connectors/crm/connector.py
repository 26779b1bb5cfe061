"""Tasks in Salesforce: upserted by an external id that holds the idempotency key, so that a repeat changes nothing."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import orjson

from connectors.access import Access, AccessTokens
from connectors.answers import NotApplied, failure_of, json_of
from connectors.arguments import ArgumentCheck
from connectors.contract import Call, CallResult, Health, Tool
from connectors.credentials import CredentialStore
from connectors.crm.tools import EXTERNAL_ID_FIELD, TOOLS, task_fields
from connectors.http import HttpAnswer, HttpClient, HttpRequest
from connectors.outbound_call import request_for
from enact.clock import Clock
from enact.errors import AmbiguousError, DownstreamError, EnactError, RateLimitError
from enact.ids import idempotency_key
from enact.records import ExternalRef, Step

API: Final = "/services/data/v60.0"
TASK: Final = f"{API}/sobjects/Task/{EXTERNAL_ID_FIELD}"
NOT_APPLIED: Final[NotApplied] = {
    (403, "REQUEST_LIMIT_EXCEEDED"): RateLimitError,
    (503, "SERVER_UNAVAILABLE"): DownstreamError,
    (400, "UNABLE_TO_LOCK_ROW"): DownstreamError,
}
"""By Salesforce's REST documentation these requests were turned away before anything was saved."""
HEALTH_INSTANCES: Final = 3
HEALTH_TIMEOUT_MS: Final = 3_000


class CrmConnector:
    """Stateless but for connections and tokens; the instance is the tenant's, from its credentials file."""

    name: Final = "crm"

    def __init__(self, http: HttpClient, store: CredentialStore, clock: Clock) -> None:
        self._http = http
        self._store = store
        self._tokens = AccessTokens(store, http, clock)
        self._clock = clock
        self._arguments = ArgumentCheck(TOOLS)

    def tools(self) -> tuple[Tool, ...]:
        """Create a task; delete it."""
        return TOOLS

    def validate(self, tool_name: str, arguments: Mapping[str, Any]) -> None:
        """Check arguments. Raises: PermanentError."""
        self._arguments.check(tool_name, arguments)

    async def execute(self, call: Call) -> CallResult:
        """Upsert the task under the idempotency key."""
        self._arguments.check_call(call, Step.EXECUTE)
        access = await self._tokens.get(call.tenant_id, self.name)
        body = orjson.dumps(task_fields(call.arguments), option=orjson.OPT_SORT_KEYS)
        answer, error = await self._send(call, access, "PATCH", _task_path(call.idempotency_key), body)
        if error is not None:
            raise error
        said = json_of(answer, system="The CRM")
        task_id = said.get("id") if isinstance(said, dict) else None
        if not isinstance(task_id, str) or said.get("success") is not True:
            raise AmbiguousError(f"The CRM answered {answer.status} without the id of the task; it may have been created.")
        return self._result(call, access, task_id, answer.body)

    async def compensate(self, call: Call) -> CallResult:
        """Delete the task of the `execute` step. A task that is not there any more counts as deleted."""
        self._arguments.check_call(call, Step.COMPENSATE)
        access = await self._tokens.get(call.tenant_id, self.name)
        key = idempotency_key(call.tenant_id, call.action_intent_id, Step.EXECUTE)
        answer, error = await self._send(call, access, "DELETE", _task_path(key), None, is_fresh=True)
        if error is not None and not (answer.status == 404 and _error_code(answer) in {"NOT_FOUND", "ENTITY_IS_DELETED"}):
            raise error
        return CallResult(refs=(), tool_run_ref=call.attempt_marker, response=answer.body)

    async def look_up(self, call: Call) -> CallResult | None:
        """Search for the task by its key. A query, because a missing external id field answers a GET like a missing task."""
        access = await self._tokens.get(call.tenant_id, self.name)
        try:
            answer, error = await self._send(call, access, "GET", f"{API}/query?q={quote(_search(call.idempotency_key), safe='')}", None)
            if error is not None:
                raise error
            said = json_of(answer, system="The CRM")
        except AmbiguousError as lost:  # of a question it is certain that it changed nothing
            raise DownstreamError("The CRM did not answer the look-up; it may be asked again.") from lost
        match said:
            case {"totalSize": 0, "records": []}:
                return None
            case {"records": [{"Id": str(task_id)}, *_]}:
                return self._result(call, access, task_id, answer.body)
            case _:
                raise DownstreamError("The CRM's answer to the look-up is not a query result; it may be asked again.")

    async def health(self) -> Health:
        """Ask up to three tenants' instances for their list of API versions, which needs no login."""
        instances: list[str] = []
        for tenant_id in self._store.tenants(self.name):
            try:
                instance = self._store.get(tenant_id, self.name).instance_url
            except EnactError:
                continue
            if instance not in instances:
                instances.append(instance)
            if len(instances) == HEALTH_INSTANCES:
                break
        if not instances:
            return Health(ok=False, detail="No tenant has usable credentials for the CRM.")
        answered = [instance for instance in instances if await self._answers(instance)]
        return Health(ok=len(answered) == len(instances), detail=f"{len(answered)} of {len(instances)} CRM instances answered.")

    async def close(self) -> None:
        """Close the HTTP client, which the connectors of a process share: they are closed together."""
        await self._http.close()

    async def _answers(self, instance: str) -> bool:
        try:
            answer = await self._http.send(HttpRequest(method="GET", url=f"{instance}/services/data/", timeout_ms=HEALTH_TIMEOUT_MS))
        except EnactError:
            return False
        return answer.status == 200

    async def _send(
        self, call: Call, access: Access, method: str, path: str, body: bytes | None, *, is_fresh: bool = False
    ) -> tuple[HttpAnswer, EnactError | None]:
        request = request_for(call, access, method=method, path=path, body=body, is_fresh=is_fresh)
        answer = await self._http.send(request)
        code = _error_code(answer)
        failure = failure_of(answer, system="The CRM", provider_code=code, not_applied=NOT_APPLIED, clock=self._clock)
        return answer, self._tokens.settle(access, answer.status, failure)

    def _result(self, call: Call, access: Access, task_id: str, response: bytes) -> CallResult:
        url = f"{access.credential.instance_url}/lightning/r/Task/{quote(task_id, safe='')}/view"
        ref = ExternalRef(system=self.name, object_type="Task", object_id=task_id, object_url=url)
        return CallResult(refs=(ref,), tool_run_ref=call.attempt_marker, response=response)


def _task_path(key: str) -> str:
    return f"{TASK}/{quote(key, safe='')}"


def _search(key: str) -> str:
    literal = key.replace("\\", "\\\\").replace("'", "\\'")
    return f"SELECT Id FROM Task WHERE {EXTERNAL_ID_FIELD} = '{literal}' LIMIT 1"  # noqa: S608 (SOQL, and the literal is escaped)


def _error_code(answer: HttpAnswer) -> str | None:
    """The first errorCode of `[{"message", "errorCode", "fields"}]`."""
    if answer.status < 300:
        return None
    try:
        said = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return None
    match said:
        case [{"errorCode": str(code)}, *_]:
            return code
        case _:
            return None
