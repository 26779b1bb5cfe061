"""Ports on 127.0.0.1: which are free, which to choose, and who holds a taken one."""

import random
import socket
from collections.abc import Collection
from pathlib import Path

from enact.broker.errors import PortTakenError

LOOPBACK = "127.0.0.1"
_LOWEST = 20_000
_LISTEN = "0A"


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now; lingering connections of an ended server do not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def free_port(taken: Collection[int] = ()) -> int:
    """A free port below the system's range for outgoing connections.

    A port inside that range can be taken at any moment by a client, even by one that tries to reach our own
    ended broker and connects to itself; then the broker could not come back on its port.

    Raises: PortTakenError if two hundred tries found none.
    """
    choose = random.SystemRandom()
    highest = _ephemeral_start() - 1
    for _ in range(200):
        port = choose.randint(_LOWEST, highest)
        if port not in taken and is_free(port):
            return port
    raise PortTakenError(f"No free port found on {LOOPBACK} between {_LOWEST} and {highest}: end some listening programs.")


def require_free(port: int, *, what: str, setting: str) -> None:
    """Raises: PortTakenError naming the holder, if the system tells, and the setting to change."""
    if is_free(port):
        return
    holder = holder_of(port) or "another program (the system does not say which)"
    raise PortTakenError(
        f"Port {port}, wanted for {what}, is taken by {holder}. Stop that program, or set {setting} to another port (0 = any free one)."
    )


def holder_of(port: int, proc: Path = Path("/proc")) -> str | None:
    """The program listening on a port, in words; None when the system does not tell (not ours, not Linux)."""
    inodes = _listening_inodes(port, proc)
    if not inodes:
        return None
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for process in proc.glob("[0-9]*"):
        try:
            if any(str(link.readlink()) in wanted for link in (process / "fd").iterdir()):
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                return f"process {process.name} ({command[:80]})"
        except OSError:
            continue
    return None


def _listening_inodes(port: int, proc: Path) -> set[str]:
    found = set()
    for table in ("tcp", "tcp6"):
        try:
            lines = (proc / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for fields in (line.split() for line in lines):
            if fields[3] == _LISTEN and int(fields[1].rsplit(":", 1)[1], 16) == port:
                found.add(fields[9])
    return found


def _ephemeral_start() -> int:
    try:
        return max(int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0]), _LOWEST + 1_000)
    except (OSError, ValueError, IndexError):
        return 32_768
