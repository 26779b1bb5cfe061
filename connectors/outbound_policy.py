"""Where calls may go: https to public addresses, and exactly the host:port pairs somebody allowed.

Hosts come from configuration, and still a name can be made to resolve to the inside of our own network. So the
resolved addresses are checked, and the connection is made to those same addresses.
"""

import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

from enact.errors import ConfigurationError, RejectedError

Address = IPv4Address | IPv6Address

NAT64: Final = ip_network("64:ff9b::/96")
_ORIGIN: Final = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+/")
"""A plain beginning of a URL: no user name, no escape, nothing that ends a host in another way than its slash."""
DEFAULT_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class OutboundPolicy:
    """`allowed` are host:port pairs (lower case) that may be loopback, private, link-local or plain http."""

    allowed: frozenset[str] = frozenset()

    @classmethod
    def from_entries(cls, entries: Iterable[str]) -> "OutboundPolicy":
        """Build from the entries of `ENACT_OUTBOUND__ALLOW`. Raises: ConfigurationError for one that is not host:port."""
        allowed = set()
        for entry in entries:
            host, _, port = entry.strip().lower().rpartition(":")
            if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
                raise ConfigurationError("ENACT_OUTBOUND__ALLOW takes host:port pairs separated by commas, such as 127.0.0.1:8090.")
            allowed.add(f"{host.strip('[]')}:{int(port)}")
        return cls(frozenset(allowed))

    def is_allowed(self, host: str, port: int) -> bool:
        """True if somebody allowed exactly this host and port."""
        return f"{host.lower()}:{port}" in self.allowed

    def check_url(self, url: str) -> None:
        """Check scheme, host and, where the host is a literal address, the address.

        Raises: RejectedError; nothing was sent.
        """
        if (origin := _ORIGIN.match(url)) is not None:
            _check_origin(self, origin.group())  # what follows the origin cannot change the answer, and a tenant has few of them
        else:
            self.check_whole_url(url)

    def check_whole_url(self, url: str) -> None:
        """The same without a memory. Raises: RejectedError."""
        try:
            parts = urlsplit(url)
            port = parts.port or DEFAULT_PORTS.get(parts.scheme, 0)
        except ValueError as error:
            raise RejectedError("The endpoint is not a URL: correct it in the credentials file.") from error
        host = parts.hostname or ""
        if parts.scheme not in DEFAULT_PORTS or not host or parts.username is not None:
            raise RejectedError("The endpoint must be an https URL with a host and without a user name: correct the credentials file.")
        if self.is_allowed(host, port):
            return
        if parts.scheme != "https":
            raise RejectedError(f"Plain http to {host}:{port} is not allowed: use https, or add it to ENACT_OUTBOUND__ALLOW.")
        address = literal_address(host)
        if address is not None and not is_public(address):
            raise RejectedError(f"{host}:{port} is not a public address: add it to ENACT_OUTBOUND__ALLOW if that is meant.")

    def permits(self, host: str, port: int, resolved: str) -> bool:
        """True if a connection to `resolved`, found for host:port, may be made."""
        return self.is_allowed(host, port) or is_public(ip_address(resolved.partition("%")[0]))


@lru_cache(maxsize=4096)
def _check_origin(policy: OutboundPolicy, origin: str) -> None:
    policy.check_whole_url(origin)


def literal_address(host: str) -> Address | None:
    """The address a host text stands for by itself, also in the old forms (`2130706433`, `127.1`) that sockets accept."""
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host))
    except (OSError, UnicodeEncodeError):
        return None


def is_public(address: Address) -> bool:
    """True for an address of the public internet, looking through IPv4 addresses wrapped in IPv6."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is None and address in NAT64:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)
