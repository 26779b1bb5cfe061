"""The sandbox's back door, for demos and tests: what was received, what was applied, what goes wrong next."""

import re
import sqlite3
from typing import Annotated, Any, Final

import orjson
import pydantic
from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from connectors.sandbox.crm.oauth import OAuth
from connectors.sandbox.crm.objects import SalesforceError, checked, object_type, record_id
from connectors.sandbox.modes import RULE, Modes
from connectors.sandbox.store import FILTERS, Store

MAX_ROWS: Final = 100_000
TABLES: Final = "|".join(map(re.escape, FILTERS))


class Seed(BaseModel):
    """An object to begin with. Without an `id` it gets the next one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tenant: str
    object_type: str
    fields: dict[str, Any]
    id: Annotated[str, Field(pattern="^[A-Za-z0-9]{18}$")] | None = None


SEED: Final[pydantic.TypeAdapter[Seed]] = pydantic.TypeAdapter(Seed)


class Admin:
    """Routes under /sandbox. Lists take the columns as filters, `after` (a seq) and `limit`."""

    def __init__(self, store: Store, modes: Modes, oauth: OAuth) -> None:
        self._store = store
        self._modes = modes
        self._oauth = oauth

    def routes(self) -> list[web.RouteDef]:
        """Health, lists, counts, objects that are there from the beginning, modes, tokens."""
        return [
            web.get("/readyz", self._health),
            web.get("/livez", self._health),
            web.get("/sandbox/health", self._health),
            web.get("/sandbox/summary", self._summary),
            web.get(f"/sandbox/{{table:{TABLES}}}", self._rows),
            web.post("/sandbox/objects", self._put),
            web.get("/sandbox/modes", self._shown),
            web.post("/sandbox/modes", self._add),
            web.delete("/sandbox/modes", self._clear),
            web.post("/sandbox/tokens/expire", self._expire),
        ]

    async def _health(self, _: web.Request) -> web.Response:
        return _json({"ok": True})

    async def _summary(self, _: web.Request) -> web.Response:
        receipts = dict(self._store.read("SELECT kind, count(*) FROM receipts GROUP BY kind"))
        operations = dict(self._store.read("SELECT operation, count(*) FROM applications GROUP BY operation"))
        objects = dict(self._store.read("SELECT object_type, count(*) FROM objects WHERE is_deleted = 0 GROUP BY object_type"))
        return _json({"receipts": receipts, "applications": operations, "objects": objects, "modes": self._modes.shown()})

    async def _rows(self, request: web.Request) -> web.Response:
        given = dict(request.query)
        try:
            after = int(given.pop("after", "0"))
            limit = min(int(given.pop("limit", "1000")), MAX_ROWS)
            return _json(self._store.rows(request.match_info["table"], given, after=after, limit=limit))
        except (KeyError, ValueError) as error:
            return _json({"error": f"unknown filter or number: {error}"}, status=400)

    async def _put(self, request: web.Request) -> web.Response:
        """An object that nobody's call made: it leaves neither a receipt nor an application."""
        try:
            given = SEED.validate_json(await request.read())
            kind = object_type(given.object_type)
            fields = checked(kind, given.fields, is_new=True)
            number = self._store.next_number()
            new_id = given.id or record_id(kind, number)
            self._store.insert(number=number, id=new_id, tenant=given.tenant, object_type=kind.name, external_id=None, fields=fields)
        except (pydantic.ValidationError, SalesforceError, sqlite3.IntegrityError) as error:
            return _json({"error": str(error)}, status=400)
        return _json({"id": new_id}, status=201)

    async def _shown(self, _: web.Request) -> web.Response:
        return _json(self._modes.shown())

    async def _add(self, request: web.Request) -> web.Response:
        try:
            rule = RULE.validate_json(await request.read())
        except pydantic.ValidationError as error:
            return _json({"error": str(error)}, status=400)
        return _json({"id": self._modes.add(rule)}, status=201)

    async def _clear(self, _: web.Request) -> web.Response:
        self._modes.clear()
        return _json({"ok": True})

    async def _expire(self, request: web.Request) -> web.Response:
        self._oauth.expire_all(request.query.get("tenant"))
        return _json({"ok": True})


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json")
