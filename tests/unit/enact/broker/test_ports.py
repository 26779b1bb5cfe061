"""Ports on loopback: what is free, and who holds what is not."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from enact.broker import ports
from enact.broker.errors import PortTakenError
from enact.broker.ports import LOOPBACK, free_port, holder_of, is_free, require_free


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_listening_port_is_not_free_and_its_holder_is_named(taken: int) -> None:
    assert not is_free(taken)
    assert str(holder_of(taken)).startswith(f"process {os.getpid()} (")
    with pytest.raises(PortTakenError, match=rf"Port {taken}, wanted for the api, is taken by process {os.getpid()} .*set ENACT_API__PORT"):
        require_free(taken, what="the api", setting="ENACT_API__PORT")


def test_a_holder_the_system_does_not_show_is_said_to_be_unknown(taken: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "holder_of", lambda port: holder_of(port, proc=tmp_path))

    with pytest.raises(PortTakenError, match="another program"):
        require_free(taken, what="the api", setting="ENACT_API__PORT")


def test_a_free_port_passes() -> None:
    port = free_port()

    require_free(port, what="the api", setting="ENACT_API__PORT")

    assert holder_of(port) is None


def test_chosen_ports_are_below_the_range_of_outgoing_connections() -> None:
    lowest_outgoing = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])

    chosen = {free_port() for _ in range(20)}

    assert all(20_000 <= port < max(lowest_outgoing, 21_000) for port in chosen)


def test_ports_already_promised_are_not_chosen_and_a_full_machine_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_ephemeral_start", lambda: 20_002)
    monkeypatch.setattr(ports, "is_free", lambda port: True)

    assert free_port(taken=[20_000]) == 20_001
    with pytest.raises(PortTakenError, match="No free port"):
        free_port(taken=[20_000, 20_001])
