"""The documentation of the routes as OpenAPI 3.1, made from their declarations and from the classes of the bodies.

Nothing is written twice: a field that a body gains is in its schema, a parameter that is checked is listed.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from services.api.bodies import Problem
from services.api.parameters import ID_SCHEMA, TENANT_HEADER, Query
from services.api.routes import RETRY_AFTER_S, Route

DOCUMENT_PATH: Final = "/openapi.json"
_REF: Final = "#/components/schemas/{name}"
_PATH_NAME: Final = re.compile(r"\{([a-z_]+)\}")
_PROBLEMS: Final = {
    "400": "The request is not complete or not correct; the message says what to change.",
    "404": "Unknown, or of another tenant or account: both look the same.",
    "500": "A fault of ours; it is in our log.",
    "503": f"The read model is being built; try again in {RETRY_AFTER_S} s.",
}
_PATH_WORDS: Final = {
    "action_intent_id": "The intent's id, or exec-<id>.",
    "account_id": "The account.",
}


def document(routes: Sequence[Route], *, base_path: str = "") -> dict[str, Any]:
    """The document as a JSON value."""
    answers = {route.answer for route in routes}
    _, schemas = msgspec.json.schema_components([*sorted(answers, key=str), Problem], ref_template=_REF)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "enact",
            "version": "1",
            "description": "What became of approved action intents. Every answer says in X-Enact-Staleness-Ms how old it may be.",
        },
        "servers": [{"url": base_path or "/"}],
        "paths": {route.path: {"get": _operation(route)} for route in routes},
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
    return {
        "operationId": route.path.strip("/").replace("/", "_").replace("{", "").replace("}", ""),
        "summary": route.summary,
        "parameters": [*_path_parameters(route.path), _tenant(), *map(_query, route.queries)],
        "responses": {
            "200": _response("The answer.", "application/json", route.answer.__name__),
            **{status: _response(words, "application/problem+json", Problem.__name__) for status, words in _PROBLEMS.items()},
        },
    }


def _response(words: str, content_type: str, name: str) -> dict[str, Any]:
    return {
        "description": words,
        "headers": {"X-Enact-Staleness-Ms": {"$ref": "#/components/headers/Staleness"}},
        "content": {content_type: {"schema": {"$ref": _REF.format(name=name)}}},
    }


def _path_parameters(path: str) -> list[Mapping[str, Any]]:
    names = _PATH_NAME.findall(path)
    return [{"name": name, "in": "path", "required": True, "description": _PATH_WORDS[name], "schema": ID_SCHEMA} for name in names]


def _tenant() -> Mapping[str, Any]:
    return {"name": TENANT_HEADER, "in": "header", "required": True, "description": "The tenant that asks.", "schema": ID_SCHEMA}


def _query(query: Query) -> Mapping[str, Any]:
    schema: dict[str, Any] = {"type": "array", "items": query.schema} if query.may_repeat else query.schema
    return {"name": query.name, "in": "query", "required": query.is_required, "description": query.description, "schema": schema}
