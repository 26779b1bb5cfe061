"""The CRM's HTTP routes, as Salesforce's REST API has them."""

import html
from typing import Any, Final

import orjson
from aiohttp import web

from connectors.sandbox.crm.objects import SYSTEM_FIELDS, TYPES, ObjectType, SalesforceError, object_type
from connectors.sandbox.crm.records import Records
from connectors.sandbox.crm.soql import parse
from connectors.sandbox.receipts import TENANT, receipt_of
from connectors.sandbox.store import Store

DATA: Final = r"/services/data/v{version:\d+\.\d+}"
VERSIONS: Final = [{"label": f"v{number}.0", "url": f"/services/data/v{number}.0", "version": f"{number}.0"} for number in range(58, 63)]
NO_CONTENT: Final = 204


class CrmApi:
    """Reads requests, asks `Records`, writes answers."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def routes(self) -> list[web.RouteDef]:
        """Everything under /services/data, and the page an object link leads to."""
        routes = [
            web.get("/services/data", self._versions),
            web.get("/services/data/", self._versions),
            web.get("/lightning/r/{object}/{id}/view", self._page),
            web.get(f"{DATA}/sobjects/{{object}}/{{field}}/{{value}}", self._get_by_key),
            web.patch(f"{DATA}/sobjects/{{object}}/{{field}}/{{value}}", self._upsert),
            web.delete(f"{DATA}/sobjects/{{object}}/{{field}}/{{value}}", self._delete_by_key),
        ]
        for tail in ("", "/"):  # both are usual; Salesforce accepts both
            routes += [
                web.get(f"{DATA}{tail}", self._resources),
                web.get(f"{DATA}/sobjects{tail}", self._global),
                web.get(f"{DATA}/sobjects/{{object}}{tail}", self._basic),
                web.post(f"{DATA}/sobjects/{{object}}{tail}", self._create),
                web.get(f"{DATA}/sobjects/{{object}}/describe{tail}", self._describe),
                web.get(f"{DATA}/sobjects/{{object}}/{{id}}{tail}", self._get),
                web.patch(f"{DATA}/sobjects/{{object}}/{{id}}{tail}", self._update),
                web.delete(f"{DATA}/sobjects/{{object}}/{{id}}{tail}", self._delete),
                web.get(f"{DATA}/query{tail}", self._query),
                web.get(f"{DATA}/queryAll{tail}", self._query),
            ]
        return routes

    async def _versions(self, _: web.Request) -> web.Response:
        return _json(VERSIONS)

    async def _resources(self, request: web.Request) -> web.Response:
        base = f"/services/data/v{request.match_info['version']}"
        return _json({name: f"{base}/{name}" for name in ("sobjects", "query", "queryAll")})

    async def _global(self, _: web.Request) -> web.Response:
        return _json({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": [_summary(kind) for kind in TYPES.values()]})

    async def _basic(self, request: web.Request) -> web.Response:
        return _json({"objectDescribe": _summary(_kind(request)), "recentItems": []})

    async def _describe(self, request: web.Request) -> web.Response:
        kind = _kind(request)
        fields = [
            {
                "name": name,
                "label": name.removesuffix("__c").replace("_", " "),
                "type": field.type,
                "length": field.length,
                "nillable": not field.is_required,
                "externalId": field.is_external_id,
                "unique": field.is_external_id,
                "custom": name.endswith("__c"),
                "createable": name not in SYSTEM_FIELDS,
                "updateable": name not in SYSTEM_FIELDS,
            }
            for name, field in {**SYSTEM_FIELDS, **kind.fields}.items()
        ]
        return _json({**_summary(kind), "fields": fields})

    async def _create(self, request: web.Request) -> web.Response:
        new_id = self._records(request).create(receipt_of(request), request[TENANT], _kind(request), await _body(request))
        return _json({"id": new_id, "success": True, "errors": []}, status=201)

    async def _get(self, request: web.Request) -> web.Response:
        kind, records = _kind(request), self._records(request)
        found = records.by_id(request[TENANT], kind, request.match_info["id"])
        return _json(records.shown(kind, found, _fields(request, kind)))

    async def _update(self, request: web.Request) -> web.Response:
        kind, records = _kind(request), self._records(request)
        found = records.by_id(request[TENANT], kind, request.match_info["id"])
        records.update(receipt_of(request), request[TENANT], kind, found, await _body(request))
        return web.Response(status=NO_CONTENT)

    async def _delete(self, request: web.Request) -> web.Response:
        kind, records = _kind(request), self._records(request)
        records.delete(receipt_of(request), kind, records.by_id(request[TENANT], kind, request.match_info["id"]))
        return web.Response(status=NO_CONTENT)

    async def _get_by_key(self, request: web.Request) -> web.Response:
        kind, records = _kind(request), self._records(request)
        found = records.by_external_id(request[TENANT], kind, *_key(request))
        if found is None:
            raise SalesforceError(404, "NOT_FOUND", "The requested resource does not exist")
        return _json(records.shown(kind, found, _fields(request, kind)))

    async def _upsert(self, request: web.Request) -> web.Response:
        kind = _kind(request)
        changed_id, is_created = self._records(request).upsert(
            receipt_of(request), request[TENANT], kind, _key(request), await _body(request)
        )
        body = {"id": changed_id, "success": True, "errors": [], "created": is_created}
        return _json(body, status=201 if is_created else 200)

    async def _delete_by_key(self, request: web.Request) -> web.Response:
        kind, records = _kind(request), self._records(request)
        found = records.by_external_id(request[TENANT], kind, *_key(request))
        if found is None:
            raise SalesforceError(404, "NOT_FOUND", "The requested resource does not exist")
        records.delete(receipt_of(request), kind, found)
        return web.Response(status=NO_CONTENT)

    async def _query(self, request: web.Request) -> web.Response:
        text = request.query.get("q")
        if not text:
            raise SalesforceError(400, "MALFORMED_QUERY", "A query string has to be specified")
        return _json(self._records(request).query(request[TENANT], parse(text)))

    async def _page(self, request: web.Request) -> web.Response:
        """The page behind `object_url`. It needs no login: the id cannot be guessed by accident, and this is a practice world."""
        rows = self._store.read("SELECT tenant FROM objects WHERE id = ?", (request.match_info["id"],))
        kind = _kind(request)
        found = self._store.find(rows[0][0], kind.name, id=request.match_info["id"]) if rows else None
        if found is None:
            raise SalesforceError(404, "NOT_FOUND", "The requested resource does not exist")
        state = " (deleted)" if found.is_deleted else ""
        lines = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(str(value))}</dd>" for name, value in found.fields.items())
        title = f"{kind.name} {found.id}{state}"
        page = f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><h1>{title}</h1><dl>{lines}</dl></html>"
        return web.Response(text=page, content_type="text/html")

    def _records(self, request: web.Request) -> Records:
        return Records(self._store, request.match_info["version"])


def _kind(request: web.Request) -> ObjectType:
    return object_type(request.match_info["object"])


def _key(request: web.Request) -> tuple[str, str]:
    return request.match_info["field"], request.match_info["value"]


def _fields(request: web.Request, kind: ObjectType) -> tuple[str, ...] | None:
    given = request.query.get("fields")
    if not given:
        return None
    names = tuple(name.strip() for name in given.split(","))
    unknown = [name for name in names if name not in kind.fields and name not in SYSTEM_FIELDS]
    if unknown:
        raise SalesforceError(400, "INVALID_FIELD", f"No such column '{unknown[0]}' on entity '{kind.name}'.")
    return names


def _summary(kind: ObjectType) -> dict[str, Any]:
    return {"name": kind.name, "label": kind.name, "keyPrefix": kind.prefix, "createable": True, "updateable": True, "deletable": True}


async def _body(request: web.Request) -> Any:
    try:
        return orjson.loads(await request.read())
    except orjson.JSONDecodeError as error:
        raise SalesforceError(400, "JSON_PARSER_ERROR", "The HTTP entity body is not valid JSON") from error


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json", charset="UTF-8")
