"""What the internal connector writes."""

import json
from typing import Any

import pytest

from connectors.contract import Call
from connectors.internal.connector import InternalConnector
from enact.errors import AmbiguousError, PermanentError
from enact.ids import idempotency_key, key_of
from enact.records import InternalObject, Step
from enact.records.codec import decode

KEY = idempotency_key("acme", "intent-1", Step.EXECUTE)


def call(tool_name: str, arguments: dict[str, Any], step: Step = Step.EXECUTE) -> Call:
    return Call(
        tool_name=tool_name,
        tenant_id="acme",
        account_id="account-1",
        action_intent_id="intent-1",
        step=step,
        attempt=1,
        nonce="n",
        idempotency_key=idempotency_key("acme", "intent-1", step),
        arguments=arguments,
        timeout_ms=1_000,
        traceparent=None,
        last_look=lambda: None,
    )


class Topic:
    def __init__(self) -> None:
        self.records: list[tuple[bytes, InternalObject]] = []
        self.error: Exception | None = None

    async def publish(self, key: bytes, value: bytes) -> None:
        self.records.append((key, decode(InternalObject, value)))
        if self.error is not None:
            raise self.error


async def test_the_object_lies_under_tenant_and_key_and_bears_its_id_from_the_key() -> None:
    topic = Topic()

    result = await InternalConnector(topic.publish).execute(call("internal.create_task", {"title": "Call", "priority": "HIGH"}))

    ((key, written),) = topic.records
    assert key == key_of("acme", KEY)
    assert (written.object_id, written.tenant_id, written.object_type, written.is_deleted) == (f"task-{KEY}", "acme", "task", False)
    assert json.loads(written.fields) == {"title": "Call", "priority": "HIGH"}
    assert result.refs[0].object_id == written.object_id
    assert json.loads(result.response) == {"object_id": written.object_id, "object_type": "task"}


async def test_undoing_writes_the_same_object_as_deleted_under_the_same_key() -> None:
    topic = Topic()
    connector = InternalConnector(topic.publish)
    await connector.execute(call("internal.create_note", {"title": "Call"}))

    await connector.compensate(call("internal.delete_note", {}, Step.COMPENSATE))

    (first_key, first), (second_key, second) = topic.records
    assert second_key == first_key
    assert (second.object_id, second.is_deleted) == (first.object_id, True)


async def test_a_write_that_times_out_may_have_happened() -> None:
    topic = Topic()
    topic.error = TimeoutError()

    with pytest.raises(AmbiguousError):
        await InternalConnector(topic.publish).execute(call("internal.create_note", {"title": "Call"}))


@pytest.mark.parametrize("arguments", [{"title": ""}, {"title": "x" * 256}, {"title": 1}, {"title": "x", "due_date": "tomorrow"}, {}])
def test_arguments_that_do_not_fit_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(PermanentError):
        InternalConnector(Topic().publish).validate("internal.create_task", arguments)
