"""A system that promises no more than each of its addresses does: nothing, to remember keys, or to be asked."""

from typing import Any

import orjson
from aiohttp import web

from connectors.sandbox.crm.objects import SalesforceError
from connectors.sandbox.receipts import TENANT, receipt_of
from connectors.sandbox.store import Store, now_ms
from connectors.sandbox.tools import FIRE_PATH, KEY_MEMORY_S, KEYED_PATH, NAMED_PATH

_MS_PER_S = 1_000


class Fire:
    """`POST {"label"}` fires: each one is a new effect, but for a key that is remembered. `GET …-named?reference=` finds."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def routes(self) -> list[web.RouteDef]:
        """Its addresses."""
        return [
            web.post(FIRE_PATH, self._fire),
            web.post(KEYED_PATH, self._fire_keyed),
            web.post(NAMED_PATH, self._fire_named),
            web.get(NAMED_PATH, self._find),
        ]

    async def _fire(self, request: web.Request) -> web.Response:
        return self._fired(request, await _given(request), reference=None)

    async def _fire_keyed(self, request: web.Request) -> web.Response:
        """A key that is remembered for this tenant gets the object it made, and nothing happens."""
        key, given = request.headers.get("Idempotency-Key"), await _given(request)
        if not key:
            raise SalesforceError(400, "REQUIRED_FIELD_MISSING", "The header Idempotency-Key is missing")
        since_ms = now_ms() - KEY_MEMORY_S * _MS_PER_S
        known = self._store.read("SELECT object_id FROM keys WHERE tenant = ? AND key = ? AND at_ms > ?", (request[TENANT], key, since_ms))
        if known:
            return _answer(known[0][0], 200)
        answer = self._fired(request, given, reference=None)
        fire_id = orjson.loads(answer.body)["id"] if isinstance(answer.body, bytes) else ""
        self._store.write("INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?)", (request[TENANT], key, fire_id, now_ms()))
        return answer

    async def _fire_named(self, request: web.Request) -> web.Response:
        given = await _given(request)
        return self._fired(request, given, reference=_text(given, "reference"))

    async def _find(self, request: web.Request) -> web.Response:
        """The fires of this tenant with one reference, oldest first."""
        reference = request.query.get("reference", "")
        found = [one.id for one in self._store.all_of(request[TENANT], "Fire") if one.fields.get("reference") == reference]
        return web.Response(body=orjson.dumps({"ids": found}), content_type="application/json")

    def _fired(self, request: web.Request, given: dict[str, Any], *, reference: str | None) -> web.Response:
        label = _text(given, "label")
        fields = {"label": label} | ({"reference": reference} if reference is not None else {})
        number = self._store.next_number()
        fire_id = f"fire-{number}"
        self._store.insert(number=number, id=fire_id, tenant=request[TENANT], object_type="Fire", external_id=None, fields=fields)
        self._store.add_application(receipt_of(request), object_type="Fire", object_id=fire_id, operation="fire")
        return _answer(fire_id, 201)


def _answer(fire_id: str, status: int) -> web.Response:
    return web.Response(body=orjson.dumps({"id": fire_id}), status=status, content_type="application/json")


async def _given(request: web.Request) -> dict[str, Any]:
    try:
        given = orjson.loads(await request.read())
    except orjson.JSONDecodeError as error:
        raise SalesforceError(400, "JSON_PARSER_ERROR", "The HTTP entity body is not valid JSON") from error
    return given if isinstance(given, dict) else {}


def _text(given: dict[str, Any], name: str) -> str:
    value = given.get(name)
    if not isinstance(value, str) or not value:
        raise SalesforceError(400, "REQUIRED_FIELD_MISSING", f"Required fields are missing: [{name}]", (name,))
    return value
