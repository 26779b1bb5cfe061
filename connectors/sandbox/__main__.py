"""The sandbox as a process: `python -m connectors.sandbox --port 8090 --data-dir .enact/sandbox`."""

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Final

import uvloop

from connectors.sandbox.server import HOST, SandboxServer
from connectors.sandbox.tenants import PRACTICE_TENANTS, write_sandbox_credentials
from enact.errors import ConfigurationError
from enact.settings import KernelSettings, load

EXIT_CONFIGURATION: Final = 64


def command_line() -> argparse.ArgumentParser:
    """What the process can be told."""
    parser = argparse.ArgumentParser(prog="python -m connectors.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=8090, help="port of plain HTTP; 0 = any free one")
    parser.add_argument("--host", default=HOST, help="address to listen on; another one than loopback only inside a network of containers")
    parser.add_argument("--data-dir", type=Path, default=Path(".enact/sandbox"), help="where it remembers")
    parser.add_argument("--tls-port", type=int, default=0, help="port of HTTPS; 0 = any free one")
    parser.add_argument("--tls-cert", type=Path, help="certificate file; switches HTTPS on")
    parser.add_argument("--tls-key", type=Path, help="its key file")
    parser.add_argument("--account", action="append", default=[], metavar="TENANT", help="give this tenant an account to begin with")
    parser.add_argument("--credentials-dir", type=Path, help="also write there what the practice tenants log in with")
    parser.add_argument("--base-url", help="how those who log in reach the sandbox; none = the address it listens on")
    return parser


def main() -> int:
    """Serve until SIGTERM, SIGINT, or until the supervisor is gone (its pipe, ENACT_SUPERVISOR_FD, closes)."""
    parser = command_line()
    options = parser.parse_args()
    if (options.tls_cert is None) != (options.tls_key is None):
        parser.error("--tls-cert and --tls-key belong together")
    tls = (options.tls_cert, options.tls_key) if options.tls_cert is not None else None
    server = SandboxServer(
        options.data_dir, host=options.host, port=options.port, tls_port=options.tls_port, tls=tls, accounts=options.account
    )
    try:
        uvloop.run(_serve(server, load(KernelSettings).supervisor_fd, options))
    except ConfigurationError as error:
        sys.stderr.write(f"{error.message}\n")
        return EXIT_CONFIGURATION
    except OSError as error:
        problem = f"The sandbox cannot listen on {options.host}:{options.port} ({error.strerror})"
        sys.stderr.write(f"{problem}: free the port or choose another with --port, or name an address of this machine with --host.\n")
        return 1
    return 0


async def _serve(server: SandboxServer, supervisor_fd: int | None, options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if supervisor_fd is not None:
        loop.add_reader(supervisor_fd, _watch, supervisor_fd, stop)
    await server.start()
    if options.credentials_dir is not None:
        write_sandbox_credentials(options.credentials_dir, PRACTICE_TENANTS, options.base_url or server.url)
    sys.stdout.write(f"sandbox {server.url}{f' {server.tls_url}' if server.tls_url else ''}\n")
    sys.stdout.flush()
    try:
        await stop.wait()
    finally:
        await server.stop()


def _watch(supervisor_fd: int, stop: asyncio.Event) -> None:
    if not os.read(supervisor_fd, 1):  # the writing end is closed: the supervisor is gone
        asyncio.get_running_loop().remove_reader(supervisor_fd)
        stop.set()


if __name__ == "__main__":
    sys.exit(main())
