"""A call's request on the wire: where it goes, and the marks by which a receipt is joined with its claim."""

from connectors.access import Access
from connectors.contract import Call
from connectors.http import HttpRequest


def request_for(call: Call, access: Access, *, method: str, path: str, body: bytes | None = None, is_fresh: bool = False) -> HttpRequest:
    """The one request of a call, to the tenant's own instance. `path` begins with a slash; `body` is JSON."""
    headers = {
        "Authorization": access.authorization,
        "Accept": "application/json",
        "Idempotency-Key": call.idempotency_key,
        "X-Enact-Attempt": call.attempt_marker,
    }
    if body is not None:
        headers["Content-Type"] = "application/json"
    if call.traceparent is not None:
        headers["traceparent"] = call.traceparent
    return HttpRequest(
        method=method,
        url=access.credential.instance_url + path,
        headers=headers,
        body=body,
        timeout_ms=call.timeout_ms,
        last_look=call.last_look,
        is_fresh=is_fresh,
    )
