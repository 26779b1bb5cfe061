"""Answers that nobody expects: too long, cut off, pointing elsewhere."""

from aiohttp import web

from connectors.sandbox.modes import Rule

_SUCCESS = b'{"success":true}'


def huge(answer: web.Response, size_bytes: int) -> web.Response:
    """The same answer, filled up with spaces: whoever reads all of it finds correct JSON."""
    return _json(_body(answer).ljust(size_bytes), answer)


def broken_json(answer: web.Response) -> web.Response:
    """The first half of the answer, as if that were all."""
    body = _body(answer)
    return _json(body[: len(body) // 2], answer)


def redirect(request: web.Request, rule: Rule) -> web.Response:
    """The request is to be sent elsewhere. A client that obeys leaves a second receipt."""
    status, _ = rule.status_and_code()
    return web.Response(status=status, headers={"Location": rule.location or request.path_qs})


def _body(answer: web.Response) -> bytes:
    """The JSON of an answer; of one without a body, such as 204, the least that says it was done."""
    return answer.body if isinstance(answer.body, bytes) and answer.body else _SUCCESS


def _json(body: bytes, answer: web.Response) -> web.Response:
    return web.Response(body=body, status=answer.status if answer.body else 200, content_type="application/json", charset="UTF-8")
