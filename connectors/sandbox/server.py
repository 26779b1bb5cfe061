"""The sandbox as a server: in this event loop, in a thread of its own, or as a process. On loopback unless told otherwise."""

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from aiohttp import web

from connectors.sandbox.admin import Admin
from connectors.sandbox.admin_client import SandboxAdmin
from connectors.sandbox.crm.api import CrmApi
from connectors.sandbox.crm.oauth import OAuth
from connectors.sandbox.fire import Fire
from connectors.sandbox.first_accounts import add_first_accounts
from connectors.sandbox.modes import Modes
from connectors.sandbox.receipts import Reception
from connectors.sandbox.store import Store

HOST: Final = "127.0.0.1"
DATABASE: Final = "sandbox.sqlite3"


class SandboxServer:
    """The whole practice world. `port` 0 = any free one; `tls` = (certificate file, key file) adds a second listener.

    Anybody who reaches `host` may do anything here: another one than loopback is for a network of containers alone.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        host: str = HOST,
        port: int = 0,
        tls_port: int = 0,
        tls: tuple[Path, Path] | None = None,
        accounts: Sequence[str] = (),
    ) -> None:
        """`accounts` names tenants that have an account in the CRM from the beginning."""
        self._accounts = accounts
        self._data_dir = data_dir
        self._host = host
        self._port = port
        self._tls_port = tls_port
        self._tls = tls
        self._store: Store | None = None
        self._runner: web.AppRunner | None = None
        self._reception: Reception | None = None
        self.url = ""
        self.tls_url: str | None = None

    async def start(self) -> None:
        """Listen; then `url` and `tls_url` say where. Raises: OSError if a port is taken."""
        store = self._store = Store(self._data_dir / DATABASE)
        add_first_accounts(store, self._accounts)
        modes, oauth = Modes(store), OAuth(store)
        reception = self._reception = Reception(store, modes, oauth)
        app = web.Application(middlewares=[reception.middleware])
        app.add_routes([web.post("/services/oauth2/token", oauth.token), *CrmApi(store).routes(), *Fire(store).routes()])
        app.add_routes(Admin(store, modes, oauth).routes())
        self._runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        try:
            self.url = f"http://{_in_url(self._host)}:{await self._listen(self._port, None)}"
            if self._tls is not None:
                context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
                context.load_cert_chain(*self._tls)
                self.tls_url = f"https://{_in_url(self._host)}:{await self._listen(self._tls_port, context)}"
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop listening; calls that hang are dropped."""
        if self._runner is not None:
            for site in list(self._runner.sites):
                await site.stop()
        if self._reception is not None:
            await self._reception.close()
        if self._runner is not None:
            await self._runner.cleanup()
        if self._store is not None:
            self._store.close()
        self._runner = self._store = self._reception = None

    async def _listen(self, port: int, context: ssl.SSLContext | None) -> int:
        if self._runner is None:
            raise RuntimeError("The server was not started.")
        known = set(self._runner.addresses)
        await web.TCPSite(self._runner, self._host, port, ssl_context=context).start()
        return int(next(address for address in self._runner.addresses if address not in known)[1])


def _in_url(host: str) -> str:
    """How an address stands in a URL; every address of this machine is reached by loopback."""
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - read, not listened on
        return HOST
    return f"[{host}]" if ":" in host else host


@contextlib.contextmanager
def start_sandbox(data_dir: Path, *, port: int = 0, tls: tuple[Path, Path] | None = None) -> Iterator[SandboxAdmin]:
    """Run a sandbox in a thread of its own for as long as the block lasts; yields its back door, which knows the addresses.

    Raises: OSError if the port is taken.
    """
    server = SandboxServer(data_dir, port=port, tls=tls)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="sandbox", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result()
        try:
            yield SandboxAdmin(server.url, server.tls_url)
        finally:
            asyncio.run_coroutine_threadsafe(server.stop(), loop).result()
    finally:
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0.01), loop).result()  # closed sockets are let go of in later turns
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
