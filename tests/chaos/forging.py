"""Tool calls that nobody approved, written straight into the topic that invocation reads: made from real ones, so that all else fits."""

import json
import random
from collections.abc import Iterator

from msgspec.structs import replace

from enact.kafka.partitioner import partition_of
from enact.kafka.transport import OutRecord
from enact.records import ToolCall
from enact.records.codec import decode, encode
from tests.e2e.intents import TENANTS
from tests.e2e.world import World


def forge(world: World, chosen: random.Random, count: int) -> int:
    """Write so many forged calls; returns how many there was material for."""
    real = [
        call
        for record in world.dump("tool-calls")
        if record.value is not None and (call := decode(ToolCall, record.value)).refusal is None and "jws" in call.intent
    ]
    signed = [call for call in real if json.loads(call.intent)["approval"].get("jws")]
    forged = [_forged(chosen, call) for call in chosen.sample(signed, min(count, len(signed)))]
    world.send(_records(world, forged))
    return len(forged)


def _forged(chosen: random.Random, call: ToolCall) -> ToolCall:
    """A new execution under an approval that was given for another one, or for another tenant, or for other arguments."""
    new_id = f"{call.action_intent_id}-forged"
    match chosen.randrange(3):
        case 0:
            told = {**json.loads(call.intent), "action_intent_id": new_id}
            return replace(call, action_intent_id=new_id, idempotency_key=f"{new_id}-execute-1", intent=json.dumps(told))
        case 1:
            tenant_id = next(tenant for tenant in TENANTS if tenant != call.tenant_id)
            told = {**json.loads(call.intent), "tenant_id": tenant_id}
            return replace(call, tenant_id=tenant_id, intent=json.dumps(told))
        case _:
            arguments = {**json.loads(call.arguments), "description": "and a million more"}
            return replace(call, action_intent_id=new_id, arguments=json.dumps(arguments))


def _records(world: World, calls: list[ToolCall]) -> Iterator[OutRecord]:
    topic, partitions = world.platform.topic("tool-calls"), world.platform.options.partitions
    for call in calls:
        partition = partition_of(call.action_intent_id, partitions)
        yield OutRecord(topic, partition, call.action_intent_id.encode(), encode(call))
