"""The documentation of the routes as OpenAPI 3.1, made from their declarations and from the classes of the bodies.

Nothing is written twice: a field that a body gains is in its schema, a parameter that is checked is listed.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from services.api.bodies import Problem
from services.api.command_bodies import CommandDone
from services.api.parameters import ID_PATTERN, ID_SCHEMA, TENANT_HEADER, Query
from services.api.routes import RETRY_AFTER_S, Route

DOCUMENT_PATH: Final = "/openapi.json"
_REF: Final = "#/components/schemas/{name}"
_PATH_NAME: Final = re.compile(r"\{([a-z_]+)\}")
_PROBLEMS: Final = {
    "400": "The request is not complete or not correct; the message says what to change.",
    "404": "Unknown, or of another tenant or account: both look the same.",
    "500": "A fault of ours; it is in our log.",
    "503": f"What is asked for cannot be read now, or an order was not acknowledged; try again in {RETRY_AFTER_S} s.",
}
_ORDER_PROBLEMS: Final = {
    "403": "Orders are not taken here; the message says where.",
    "409": "The order does not fit what is there; nothing was changed.",
    "413": "The body is too large.",
}
_RECORDED: Final = "It is in the log and counts as soon as it is read there; the answer is still to come."
_SCOPE_SCHEMA: Final = {"type": "string", "pattern": f"^(global|(tenant|action_type|connector):{ID_PATTERN})$"}
_PATH_WORDS: Final = {
    "scope": "global, tenant:<id>, action_type:<name> or connector:<name>.",
    "action_intent_id": "The intent's id, or exec-<id>.",
    "account_id": "The account.",
}


def document(routes: Sequence[Route], *, base_path: str = "") -> dict[str, Any]:
    """The document as a JSON value."""
    answers = {body for route in routes for body in (route.answer, route.order) if body is not None}
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    _, schemas = msgspec.json.schema_components([*sorted(answers, key=str), Problem], ref_template=_REF)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "enact",
            "version": "1",
            "description": "What became of approved action intents. Every answer says in X-Enact-Staleness-Ms how old it may be.",
        },
        "servers": [{"url": base_path or "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "headers": {
                "Staleness": {
                    "description": "Milliseconds that the answer may lag behind the ledger; `unknown` while the read model is being built.",
                    "schema": {"type": "string", "pattern": "^([0-9]+|unknown)$"},
                }
            },
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    name = route.path.strip("/").replace("/", "_").replace("{", "").replace("}", "")
    problems = _PROBLEMS | (_ORDER_PROBLEMS if route.order is not None else {})
    operation = {
        "operationId": name if route.method == "GET" else f"{route.method.lower()}_{name}",
        "summary": route.summary,
        "parameters": [*_path_parameters(route.path), *([_tenant()] if route.is_for_tenant else []), *map(_query, route.queries)],
        "responses": {
            "200": _response("The answer.", "application/json", route.answer.__name__),
            **({"202": _response(_RECORDED, "application/json", route.answer.__name__)} if route.answer is CommandDone else {}),
            **{status: _response(words, "application/problem+json", Problem.__name__) for status, words in problems.items()},
        },
    }
    if route.order is not None:
        (schema,), _ = msgspec.json.schema_components([route.order], ref_template=_REF)
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return operation


def _response(words: str, content_type: str, name: str) -> dict[str, Any]:
    return {
        "description": words,
        "headers": {"X-Enact-Staleness-Ms": {"$ref": "#/components/headers/Staleness"}},
        "content": {content_type: {"schema": {"$ref": _REF.format(name=name)}}},
    }


def _path_parameters(path: str) -> list[Mapping[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": _PATH_WORDS[name],
            "schema": _SCOPE_SCHEMA if name == "scope" else ID_SCHEMA,
        }
        for name in _PATH_NAME.findall(path)
    ]


def _tenant() -> Mapping[str, Any]:
    return {"name": TENANT_HEADER, "in": "header", "required": True, "description": "The tenant that asks.", "schema": ID_SCHEMA}


def _query(query: Query) -> Mapping[str, Any]:
    schema: dict[str, Any] = {"type": "array", "items": query.schema} if query.may_repeat else query.schema
    return {"name": query.name, "in": "query", "required": query.is_required, "description": query.description, "schema": schema}
