"""What the connector that fires makes of answers the practice world never gives."""

import json
from pathlib import Path
from typing import Any

import pytest

from connectors.contract import Call
from connectors.credentials import CredentialStore
from connectors.http import HttpAnswer, HttpClient, HttpRequest
from connectors.outbound_policy import OutboundPolicy
from connectors.sandbox.connector import SandboxConnector
from enact.clock import ManualClock
from enact.errors import AmbiguousError, DownstreamError, PermanentError
from enact.records import Step


class OneAnswer(HttpClient):
    """Gives the same answer to everything, without a network."""

    def __init__(self, answer: HttpAnswer) -> None:
        super().__init__(OutboundPolicy())
        self.answer = answer
        self.asked: list[HttpRequest] = []

    async def send(self, request: HttpRequest) -> HttpAnswer:
        self.asked.append(request)
        return self.answer


def connector(folder: Path, answer: HttpAnswer) -> tuple[SandboxConnector, OneAnswer]:
    path = folder / "acme" / "sandbox.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"mode": "api_key", "instance_url": "https://sandbox.example", "api_key": "k"}))
    http = OneAnswer(answer)
    return SandboxConnector(http, CredentialStore(folder), ManualClock()), http


def call(step: Step = Step.EXECUTE, tool_name: str = "sandbox.fire_once") -> Call:
    given: dict[str, Any] = {
        "tool_name": tool_name,
        "tenant_id": "acme",
        "account_id": "account-1",
        "action_intent_id": "intent-1",
        "step": step,
        "attempt": 1,
        "nonce": "n1",
        "idempotency_key": "key-1",
        "arguments": {"label": "Bang"},
        "timeout_ms": 1_000,
        "traceparent": None,
        "last_look": lambda: None,
    }
    return Call(**given)


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"id":7}'])
async def test_an_answer_without_an_id_leaves_the_call_in_doubt(tmp_path: Path, body: bytes) -> None:
    fires, http = connector(tmp_path, HttpAnswer(status=201, body=body))

    with pytest.raises(AmbiguousError, match="answered 201 without an id; it may have fired"):
        await fires.execute(call())

    assert [request.is_fresh for request in http.asked] == [True]


async def test_what_was_fired_cannot_be_undone_and_nobody_is_asked(tmp_path: Path) -> None:
    fires, http = connector(tmp_path, HttpAnswer(status=201, body=b'{"id":"f-1"}'))

    with pytest.raises(PermanentError):
        await fires.compensate(call(Step.COMPENSATE))
    with pytest.raises(PermanentError, match="no look-up"):
        await fires.look_up(call())

    assert http.asked == []


@pytest.mark.parametrize("body", [b"{}", b'{"ids":[7]}', b'{"ids":"fire-1"}'])
async def test_an_answer_to_a_look_up_that_holds_no_ids_is_not_taken_for_not_found(tmp_path: Path, body: bytes) -> None:
    fires, _ = connector(tmp_path, HttpAnswer(status=200, body=body))

    with pytest.raises(DownstreamError, match="holds no ids"):
        await fires.look_up(call(tool_name="sandbox.fire_named"))
