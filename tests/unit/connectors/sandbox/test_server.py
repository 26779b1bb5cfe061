"""The practice world's server: it may be stopped at any time, and says where it is reached."""

from pathlib import Path

import pytest

from connectors.sandbox.server import SandboxServer, _in_url


async def test_a_server_that_never_started_or_was_stopped_before_may_be_stopped(tmp_path: Path) -> None:
    server = SandboxServer(tmp_path)

    await server.stop()
    await server.start()
    await server.stop()
    await server.stop()

    assert server.url.startswith("http://127.0.0.1:")
    with pytest.raises(RuntimeError, match="not started"):
        await server._listen(0, None)


@pytest.mark.parametrize(
    ("host", "in_url"),
    [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]"), ("0.0.0.0", "127.0.0.1"), ("::", "127.0.0.1"), ("sandbox", "sandbox")],
)
def test_every_address_of_this_machine_is_reached_by_loopback_and_ipv6_stands_in_brackets(host: str, in_url: str) -> None:
    assert _in_url(host) == in_url
