"""A system with no idempotency whatsoever: what it receives twice it does twice."""

import orjson
from aiohttp import web

from connectors.sandbox.crm.objects import SalesforceError
from connectors.sandbox.receipts import TENANT, receipt_of
from connectors.sandbox.store import Store

PATH = "/sandbox/fire"


class Fire:
    """`POST /sandbox/fire {"label"}`: each one is a new effect."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def routes(self) -> list[web.RouteDef]:
        """The one route."""
        return [web.post(PATH, self._fire)]

    async def _fire(self, request: web.Request) -> web.Response:
        try:
            given = orjson.loads(await request.read())
        except orjson.JSONDecodeError as error:
            raise SalesforceError(400, "JSON_PARSER_ERROR", "The HTTP entity body is not valid JSON") from error
        label = given.get("label") if isinstance(given, dict) else None
        if not isinstance(label, str) or not label:
            raise SalesforceError(400, "REQUIRED_FIELD_MISSING", "Required fields are missing: [label]", ("label",))
        number = self._store.next_number()
        fire_id = f"fire-{number}"
        self._store.insert(number=number, id=fire_id, tenant=request[TENANT], object_type="Fire", external_id=None, fields={"label": label})
        self._store.add_application(receipt_of(request), object_type="Fire", object_id=fire_id, operation="fire")
        return web.Response(body=orjson.dumps({"id": fire_id}), status=201, content_type="application/json")
