"""What `enact switch engage` adds to a stop that already holds: what it finds there, and a doubt about the name."""

from typing import Any
from urllib.parse import quote

from cli.context import api_url
from cli.http import get
from cli.output import say, warn
from enact.errors import EnactError
from enact.switch_view import GLOBAL_SCOPE

_FOUND = 200


def found_there(scope: str, url: str | None) -> tuple[dict[str, Any] | None, str]:
    """What the api says of a scope, or None and why it says nothing. Raises nothing: the stop holds without it."""
    try:
        answer = get(api_url(url), f"/switches/{quote(scope, safe='')}")
    except EnactError as error:
        return None, error.message
    if answer.status != _FOUND or not isinstance(answer.body.get("affected"), dict):
        return None, str(answer.body.get("message") or f"The api answered {answer.status}.")
    return answer.body, ""


def doubt_about(scope: str, *, is_in_registry: bool | None, body: dict[str, Any] | None) -> str | None:
    """A sentence if nothing is known that this scope would stop; a stop is a stop all the same."""
    is_known = (body or {}).get("is_known")
    if scope == GLOBAL_SCOPE or is_in_registry or is_known or (is_in_registry is None and is_known is None):
        return None
    word, _, name = scope.partition(":")
    where = "no execution" if is_in_registry is None else "no registry entry"
    return f"Note: {where} has ever named the {word.replace('_', ' ')} {name}. It is stopped; is the name right?"


def say_found(body: dict[str, Any] | None, why_not: str) -> None:
    """What the stop finds, in words."""
    if body is None:
        warn(f"The stop holds; what it finds cannot be told now. {why_not}")
        return
    affected = body["affected"]
    say(
        f"There now: {affected['in_flight']} calls in flight (they finish), {affected['waiting']} waiting to start, "
        f"{affected['held']} held, {affected['in_doubt']} in doubt."
    )
