"""Tasks, opportunities and single fields in Salesforce, each such that a repeat changes nothing.

What is made is upserted by an external id that holds the idempotency key; a field is set, by the record's id, to its one value.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import orjson

from connectors.access import Access, AccessTokens
from connectors.answers import NotApplied, failure_of, json_of
from connectors.arguments import ArgumentCheck
from connectors.contract import Call, CallResult, Health, Tool
from connectors.credentials import CredentialStore
from connectors.crm.tools import EXTERNAL_ID_FIELD, OBJECT_TYPES, TOOLS, UPDATE_FIELD, fields_of
from connectors.http import HttpAnswer, HttpClient, HttpRequest
from connectors.outbound_call import request_for
from enact.clock import Clock
from enact.errors import AmbiguousError, DownstreamError, EnactError, NotNowError, RateLimitError, UnusableAnswerError
from enact.ids import idempotency_key
from enact.records import ExternalRef, Step

API: Final = "/services/data/v60.0"
NO_CONTENT: Final = 204
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
        """Create a task or an opportunity; delete it; set a field."""
        return TOOLS

    def validate(self, tool_name: str, arguments: Mapping[str, Any]) -> None:
        """Check arguments. Raises: PermanentError."""
        self._arguments.check(tool_name, arguments)

    async def execute(self, call: Call) -> CallResult:
        """Set the field, or upsert the object under the idempotency key."""
        self._arguments.check_call(call, Step.EXECUTE)
        access = await self._tokens.get(call.tenant_id, self.name)
        if call.tool_name == UPDATE_FIELD.name:
            return await self._set_field(call, access)
        object_type = OBJECT_TYPES[call.tool_name]
        body = orjson.dumps(fields_of(call.tool_name, call.arguments), option=orjson.OPT_SORT_KEYS)
        answer, error = await self._send(call, access, "PATCH", _path(object_type, call.idempotency_key), body)
        if error is not None:
            raise error
        said = json_of(answer, system="The CRM")
        made_id = said.get("id") if isinstance(said, dict) else None
        if not isinstance(made_id, str) or said.get("success") is not True:
            raise UnusableAnswerError(f"The CRM answered {answer.status} without the id of the {object_type}; it may have been created.")
        return self._result(call, access, object_type, made_id, answer.body)

    async def compensate(self, call: Call) -> CallResult:
        """Delete what the `execute` step made; what is not there any more counts as deleted. A field stays as it was set."""
        self._arguments.check_call(call, Step.COMPENSATE)
        access = await self._tokens.get(call.tenant_id, self.name)
        key = idempotency_key(call.tenant_id, call.action_intent_id, Step.EXECUTE)
        answer, error = await self._send(call, access, "DELETE", _path(OBJECT_TYPES[call.tool_name], key), None, is_fresh=True)
        if error is not None and not (answer.status == 404 and _error_code(answer) in {"NOT_FOUND", "ENTITY_IS_DELETED"}):
            raise error
        return CallResult(refs=(), tool_run_ref=call.attempt_marker, response=answer.body)

    async def look_up(self, call: Call) -> CallResult | None:
        """Search for the object by its key, or for the record with the value in its field.

        A query, because a missing external id field answers a GET like a missing object.
        """
        self._arguments.check_call(call, Step.EXECUTE)
        access = await self._tokens.get(call.tenant_id, self.name)
        is_field = call.tool_name == UPDATE_FIELD.name
        object_type = call.arguments["object_type"] if is_field else OBJECT_TYPES[call.tool_name]
        question = _search_value(call.arguments) if is_field else _search(object_type, call.idempotency_key)
        try:
            answer, error = await self._send(call, access, "GET", f"{API}/query?q={quote(question, safe='')}", None)
            if error is not None:
                raise error
            said = json_of(answer, system="The CRM")
        except AmbiguousError as lost:  # of a question it is certain that it changed nothing
            error_type = DownstreamError if lost.is_transport_failure else NotNowError
            raise error_type("The CRM did not answer the look-up; it may be asked again.") from lost
        match said:
            case {"totalSize": 0, "records": []}:
                return None
            case {"records": [{"Id": str(found_id), **fields}, *_]}:
                if is_field and fields.get(call.arguments["field"]) != call.arguments["value"]:
                    return None
                return self._result(call, access, object_type, call.arguments["record_id"] if is_field else found_id, answer.body)
            case _:
                raise NotNowError("The CRM's answer to the look-up is not a query result; it may be asked again.")

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

    async def _set_field(self, call: Call, access: Access) -> CallResult:
        """Salesforce answers 204 without a body. Any other success is somebody else's answer."""
        given = call.arguments
        object_type, record_id = given["object_type"], given["record_id"]
        body = orjson.dumps({given["field"]: given["value"]})
        answer, error = await self._send(call, access, "PATCH", f"{API}/sobjects/{object_type}/{record_id}", body)
        if error is not None:
            raise error
        if answer.status != NO_CONTENT:
            raise UnusableAnswerError(f"The CRM answered {answer.status} where 204 says that the field is set; it may be set.")
        return self._result(call, access, object_type, record_id, answer.body)

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

    def _result(self, call: Call, access: Access, object_type: str, object_id: str, response: bytes) -> CallResult:
        url = f"{access.credential.instance_url}/lightning/r/{object_type}/{quote(object_id, safe='')}/view"
        ref = ExternalRef(system=self.name, object_type=object_type, object_id=object_id, object_url=url)
        return CallResult(refs=(ref,), tool_run_ref=call.attempt_marker, response=response)


def _path(object_type: str, key: str) -> str:
    return f"{API}/sobjects/{object_type}/{EXTERNAL_ID_FIELD}/{quote(key, safe='')}"


def _search(object_type: str, key: str) -> str:
    literal = key.replace("\\", "\\\\").replace("'", "\\'")
    return f"SELECT Id FROM {object_type} WHERE {EXTERNAL_ID_FIELD} = '{literal}' LIMIT 1"  # noqa: S608 (SOQL, and the literal is escaped)


def _search_value(arguments: Mapping[str, Any]) -> str:
    """Object, field and id are of the checked arguments: names from a list, and an id of letters and digits."""
    field, object_type, record_id = arguments["field"], arguments["object_type"], arguments["record_id"]
    return f"SELECT Id, {field} FROM {object_type} WHERE Id = '{record_id}' LIMIT 1"  # noqa: S608 (SOQL, see above)


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
