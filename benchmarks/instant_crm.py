"""The measured tool as a process of its own, and the credentials that lead every tenant to it."""

import http.client
import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from enact.broker.ports import LOOPBACK, free_port


class InstantCrm:
    """Runs `benchmarks.tool` while inside `with`; it also ends when this process does."""

    def __init__(self) -> None:
        self.port = free_port()
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "benchmarks.tool", str(self.port)]
        root = Path(__file__).resolve().parents[1]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root, start_new_session=True
        )
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "listening\n":
            raise RuntimeError("the instant tool did not start")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._process is not None:
            self._process.communicate()  # closes its standard input: it ends
            self._process = None

    @property
    def pid(self) -> int:
        assert self._process is not None, "it does not run"
        return self._process.pid

    @property
    def address(self) -> str:
        """`host:port`."""
        return f"{LOOPBACK}:{self.port}"

    def set_delay(self, milliseconds: float) -> None:
        """Every later answer waits so long; the counters start anew."""
        self._ask("PUT", f"/delay/{milliseconds}")

    def stats(self) -> dict[str, Any]:
        """Calls, distinct idempotency keys, duplicates, most calls in flight, since the delay was set."""
        return self._ask("GET", "/stats")

    def write_credentials(self, folder: Path, tenants: Iterable[str]) -> None:
        """`<tenant>/crm.json` for each: an API key, so that no token is fetched while something is measured."""
        for tenant in tenants:
            path = folder / tenant / "crm.json"
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
            path.write_text(json.dumps({"mode": "api_key", "instance_url": f"http://{self.address}", "api_key": "bench"}))

    def _ask(self, method: str, path: str) -> dict[str, Any]:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=10)
        try:
            connection.request(method, path)
            found: dict[str, Any] = json.loads(connection.getresponse().read())
            return found
        except (OSError, http.client.HTTPException) as error:
            raise RuntimeError(f"the instant tool does not answer ({type(error).__name__})") from error
        finally:
            connection.close()
