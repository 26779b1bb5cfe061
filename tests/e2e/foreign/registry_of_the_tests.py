"""The registry of the tests: as much of a Confluent-compatible schema registry as its clients ask for here, on loopback.

Subjects, versions and ids in memory. It checks no compatibility, and is no evidence that a real one would agree.
"""

import json
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from enact.broker.ports import LOOPBACK, free_port

# Of the registry's HTTP interface.
SUBJECT_NOT_FOUND: Final = 40401
SCHEMA_NOT_FOUND: Final = 40403
STORE_FAILS: Final = 50001
FIRST_ID: Final = 1000


class RegistryOfTheTests:
    """Ids begin at 1000, so that both of an id's low bytes matter. `stop` and `start` keep address and content.

    While `is_failing` it registers, but fails to say what an id means.
    """

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        self.texts: list[str] = []
        self.subjects: dict[str, list[int]] = {}
        self.is_failing = False
        self._lock = Lock()
        self._server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        """Answer from now on."""
        registry = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._answer(registry.look_up(_parts(self.path)))

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self._answer(registry.take(_parts(self.path), body))

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing: the test's output is for its own findings."""

            def _answer(self, answer: dict[str, Any]) -> None:
                text = json.dumps(answer).encode()
                code = str(answer.get("error_code", int(HTTPStatus.OK)))  # its first three digits are the HTTP status
                self.send_response(int(code[:3]))
                self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

        self._server = ThreadingHTTPServer((LOOPBACK, self.port), Handler)
        self._server.daemon_threads = True
        Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Nobody listens any more; open connections end with their next request."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def register(self, subject: str, text: str) -> int:
        """The id of a schema, the same for the same schema under every subject."""
        with self._lock:
            schema_id = self.id_of(text)
            if schema_id is None:
                self.texts.append(text)
                schema_id = FIRST_ID + len(self.texts) - 1
            versions = self.subjects.setdefault(subject, [])
            if schema_id not in versions:
                versions.append(schema_id)
            return schema_id

    def id_of(self, text: str) -> int | None:
        """The id of a schema, however it is laid out; None if it is not registered."""
        same = json.loads(text)
        return next((FIRST_ID + place for place, known in enumerate(self.texts) if json.loads(known) == same), None)

    def look_up(self, parts: list[str]) -> dict[str, Any]:
        """GET."""
        match parts:
            case ["schemas", "ids", _] if self.is_failing:
                return _error(STORE_FAILS)
            case ["schemas", "ids", number]:
                place = int(number) - FIRST_ID
                return {"schema": self.texts[place]} if 0 <= place < len(self.texts) else _error(SCHEMA_NOT_FOUND)
            case _:
                return _error(HTTPStatus.NOT_FOUND)

    def take(self, parts: list[str], body: dict[str, Any]) -> dict[str, Any]:
        """POST."""
        match parts:
            case ["subjects", subject, "versions"]:
                return {"id": self.register(subject, body["schema"])}
            case ["subjects", subject]:
                schema_id = self.id_of(body["schema"])
                if schema_id is None or schema_id not in self.subjects.get(subject, []):
                    return _error(SCHEMA_NOT_FOUND if subject in self.subjects else SUBJECT_NOT_FOUND)
                version = self.subjects[subject].index(schema_id) + 1
                return {"subject": subject, "id": schema_id, "version": version, "schema": body["schema"]}
            case _:
                return _error(HTTPStatus.NOT_FOUND)


def _parts(path: str) -> list[str]:
    return [unquote(part) for part in urlsplit(path).path.strip("/").split("/")]


def _error(code: int) -> dict[str, Any]:
    return {"error_code": int(code), "message": "refused"}
