"""The sandbox as a process of its own: it remembers what it answered, and goes when its supervisor goes."""

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.http import HttpClient, HttpRequest
from connectors.outbound_policy import OutboundPolicy
from connectors.sandbox.admin_client import SandboxAdmin
from connectors.sandbox.tenants import PRACTICE_TENANTS, api_key
from enact.errors import EnactError

TASKS = "/services/data/v60.0/sobjects/Task/Enact_Key__c"
MIN_UPSERTS_PER_S = 300
"""A floor for a busy machine of two cores, not a measurement; alone it does several times that."""


@contextlib.contextmanager
def process(folder: Path, *options: str, **settings: Any) -> Iterator[tuple[subprocess.Popen[str], SandboxAdmin]]:
    command = [sys.executable, "-m", "connectors.sandbox", "--port", "0", "--data-dir", str(folder), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **settings) as started:
        try:
            assert started.stdout is not None
            line = started.stdout.readline()
            found = re.match(r"sandbox (\S+)", line)
            assert found, f"the sandbox said {line!r}"
            yield started, SandboxAdmin(found.group(1))
        finally:
            if started.poll() is None:
                started.kill()


async def upsert(admin: SandboxAdmin, count: int, *, at_once: int) -> int:
    http = HttpClient(OutboundPolicy.from_entries([admin.url.removeprefix("http://")]))
    headers = {"Authorization": f"Bearer {api_key('acme')}", "Content-Type": "application/json"}
    permits = asyncio.Semaphore(at_once)
    done = 0

    async def one(number: int) -> None:
        nonlocal done
        async with permits:
            url = f"{admin.url}{TASKS}/key-{number}"
            with contextlib.suppress(EnactError):
                answer = await http.send(HttpRequest(method="PATCH", url=url, headers=headers, body=b'{"Subject":"x"}', timeout_ms=5_000))
                done += answer.status == 201

    await asyncio.gather(*(one(number) for number in range(count)))
    await http.close()
    return done


def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    with process(tmp_path) as (killed, admin):
        asyncio.run(upsert(admin, 50, at_once=10))
        admin.set_mode("reject", subject="never", count=3)
        killed.send_signal(signal.SIGKILL)
        killed.wait(10)

    with process(tmp_path) as (_, again):
        assert again.summary()["objects"] == {"Task": 50}
        assert len(again.receipts(kind="write")) == 50
        assert len(again.applications(operation="create")) == 50
        assert [mode["remaining"] for mode in again.summary()["modes"]] == [3]
        assert asyncio.run(upsert(again, 1, at_once=1)) == 0, "the key is known: updated, not created"
        assert again.summary()["objects"] == {"Task": 50}


def test_the_tenants_that_are_named_have_the_accounts_of_the_examples_and_keep_them_over_a_restart(tmp_path: Path) -> None:
    for _ in range(2):
        with process(tmp_path, "--account", "acme", "--account", "globex") as (_child, admin):
            accounts = [(row["tenant"], row["id"][:15]) for row in admin.objects()]

            assert accounts == [("acme", "001Sb000000001A"), ("globex", "001Sb000000001B")]


def test_it_ends_when_the_supervisor_s_pipe_closes(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    with process(tmp_path, pass_fds=(read_end,), env={**os.environ, "ENACT_SUPERVISOR_FD": str(read_end)}) as (child, admin):
        os.close(read_end)
        assert admin.is_ready()

        os.close(write_end)

        assert child.wait(10) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_good_order_also_while_a_call_hangs(tmp_path: Path, number: signal.Signals) -> None:
    with process(tmp_path) as (child, admin):
        admin.set_mode("hang_before", on="any")
        call = urllib.request.Request(f"{admin.url}/services/data/v60.0", headers={"Authorization": f"Bearer {api_key('acme')}"})
        with pytest.raises(OSError, match="timed out"), urllib.request.urlopen(call, timeout=0.2):
            pass

        child.send_signal(number)

        assert child.wait(10) == 0


def test_a_taken_port_is_explained(tmp_path: Path) -> None:
    with process(tmp_path) as (_, admin):
        port = admin.url.rpartition(":")[2]
        command = [sys.executable, "-m", "connectors.sandbox", "--port", port, "--data-dir", str(tmp_path / "other")]

        second = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    assert second.returncode == 1
    assert f"127.0.0.1:{port}" in second.stderr
    assert "--port" in second.stderr


def test_it_listens_where_it_is_told_and_on_loopback_if_it_is_told_nothing(tmp_path: Path) -> None:
    with process(tmp_path / "one") as (_, usual), process(tmp_path / "two", "--host", "127.0.0.2") as (_, told):
        assert usual.url.startswith("http://127.0.0.1:")
        assert told.url.startswith("http://127.0.0.2:")
        assert told.is_ready()
        assert not SandboxAdmin(told.url.replace("127.0.0.2", "127.0.0.1")).is_ready()


def test_a_certificate_without_its_key_is_refused_before_anything_listens(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "connectors.sandbox", "--port", "0", "--data-dir", str(tmp_path / "new"), "--tls-cert", "cert.pem"]

    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    assert ended.returncode == 2
    assert "--tls-cert and --tls-key belong together" in ended.stderr
    assert not (tmp_path / "new").exists()


def test_an_address_that_is_not_this_machine_s_is_explained(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "connectors.sandbox", "--host", "192.0.2.1", "--port", "0", "--data-dir", str(tmp_path)]

    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    assert ended.returncode == 1
    assert "192.0.2.1" in ended.stderr
    assert "--host" in ended.stderr


def test_it_writes_what_the_practice_tenants_log_in_with_and_where(tmp_path: Path) -> None:
    folder = tmp_path / "credentials"

    with process(tmp_path, "--credentials-dir", str(folder), "--base-url", "http://sandbox:8090"):
        written = {path.relative_to(folder).as_posix(): json.loads(path.read_text()) for path in folder.rglob("*.json")}

    assert set(written) == {f"{tenant}/{system}.json" for tenant in PRACTICE_TENANTS for system in ("crm", "sandbox")}
    assert {one["instance_url"] for one in written.values()} == {"http://sandbox:8090"}


def test_it_carries_the_load_of_the_chain(tmp_path: Path) -> None:
    with process(tmp_path) as (_, admin):
        started = time.monotonic()

        done = asyncio.run(upsert(admin, 1_500, at_once=50))

        rate = 1_500 / (time.monotonic() - started)
        print(f"{rate:.0f} upserts a second, client included")
        assert done == 1_500
        assert rate > MIN_UPSERTS_PER_S
