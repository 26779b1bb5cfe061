"""The sandbox's back door as Python calls, for demos and tests. Synchronous, standard library only."""

import json
import urllib.error
import urllib.request
from typing import Any, Final
from urllib.parse import urlencode

from enact.errors import EnactError

TIMEOUT_S: Final = 10.0


class SandboxAdmin:
    """Asks a running sandbox what it saw, and tells it how to behave."""

    def __init__(self, url: str, tls_url: str | None = None) -> None:
        self.url = url
        self.tls_url = tls_url
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def receipts(self, **filters: str | int) -> list[dict[str, Any]]:
        """Every request received, oldest first. Filters: kind (write, read, token) and the other columns."""
        return self._rows("receipts", filters)

    def applications(self, **filters: str | int) -> list[dict[str, Any]]:
        """Every change made. Filters: the columns, such as tenant, object_type, operation, idempotency_key."""
        return self._rows("applications", filters)

    def objects(self, **filters: str | int) -> list[dict[str, Any]]:
        """Every object; `fields` is decoded. Filters: tenant, object_type, external_id, is_deleted (0 or 1), id."""
        return [{**row, "fields": json.loads(row["fields"])} for row in self._rows("objects", filters)]

    def add_object(self, tenant: str, object_type: str, fields: dict[str, Any], *, id: str | None = None) -> str:
        """Put an object there to begin with: no receipt, no application. `id` has 18 characters. Returns its id.

        Raises: EnactError if the id is taken or a field does not fit.
        """
        body = {"tenant": tenant, "object_type": object_type, "fields": fields, "id": id}
        return str(self._ask("POST", "/sandbox/objects", body)["id"])

    def summary(self) -> dict[str, Any]:
        """Counts: receipts by kind, applications by operation, living objects by type; and the modes in force."""
        found: dict[str, Any] = self._ask("GET", "/sandbox/summary")
        return found

    def set_mode(self, behaviour: str, **conditions: str | float | None) -> int:
        """Misbehave: see `connectors.sandbox.modes.Rule` for behaviours and conditions. Returns the rule's id."""
        return int(self._ask("POST", "/sandbox/modes", {"behaviour": behaviour, **conditions})["id"])

    def clear_modes(self) -> None:
        """Behave again."""
        self._ask("DELETE", "/sandbox/modes")

    def expire_tokens(self, tenant: str | None = None) -> None:
        """End the access tokens of a tenant, or of all."""
        self._ask("POST", "/sandbox/tokens/expire" + (f"?{urlencode({'tenant': tenant})}" if tenant is not None else ""))

    def is_ready(self) -> bool:
        """True if it answers."""
        try:
            self._ask("GET", "/readyz")
        except EnactError:
            return False
        return True

    def _rows(self, table: str, filters: dict[str, str | int]) -> list[dict[str, Any]]:
        query = urlencode({"limit": 100_000, **filters})
        found: list[dict[str, Any]] = self._ask("GET", f"/sandbox/{table}?{query}")
        return found

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url + path, data=data, method=method)  # noqa: S310 (our own loopback address)
        try:
            with self._opener.open(request, timeout=TIMEOUT_S) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                raise EnactError(f"The sandbox refused {method} {path.partition('?')[0]}: {error.read().decode()[:300]}") from error
        except OSError as error:
            raise EnactError(f"The sandbox at {self.url} does not answer: start it with `enact up --sandbox`.") from error
