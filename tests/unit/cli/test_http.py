"""The command line's questions to the api: over a real socket, with every way not to be answered."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from cli.http import ApiUnreachableError, get
from enact.errors import ConfigurationError


class Api(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(404 if "nobody" in self.path else 200)
        self.send_header("X-Enact-Staleness-Ms", "7")
        self.end_headers()
        self.wfile.write(
            b"<html>" if "html" in self.path else f'{{"path": "{self.path}", "tenant": "{self.headers["x-tenant-id"]}"}}'.encode()
        )

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Api) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_an_answer_comes_with_its_status_and_its_age(url: str) -> None:
    answer = get(f"{url}/prefix/", "/executions/a", tenant="acme", query=[("status", "HELD"), ("status", "a b")])
    unknown = get(url, "/executions/nobody", tenant="acme")

    assert answer.body == {"path": "/prefix/executions/a?status=HELD&status=a+b", "tenant": "acme"}
    assert (answer.status, answer.staleness_ms, unknown.status) == (200, 7, 404)


def test_something_else_on_the_port_is_said_to_be_something_else(url: str) -> None:
    with pytest.raises(ApiUnreachableError, match="is not the api of enact"):
        get(url, "/html", tenant="acme")


def test_nobody_there_is_said_with_what_to_do() -> None:
    with pytest.raises(ApiUnreachableError, match="enact up"):
        get("http://127.0.0.1:1", "/", tenant="acme")


@pytest.mark.parametrize("text", ["127.0.0.1:8080", "ftp://host", "http://", "http://host:many", "http://[::1"])
def test_an_address_that_is_none_is_refused_before_anything_is_asked(text: str) -> None:
    with pytest.raises(ConfigurationError, match="http://host:port"):
        get(text, "/", tenant="acme")
