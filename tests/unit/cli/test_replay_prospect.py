"""What a dry run of a replay tells: how the executions that would be met stand in the log."""

from msgspec.structs import replace

from cli.replay_plan import Move
from cli.replay_prospect import WORDS, prospect
from enact.clock import ManualClock
from enact.ids import key_of
from enact.kafka.local import LocalBroker
from enact.kafka.transport import NextOffset, OutRecord, TopicPartition
from enact.records import (
    Admission,
    ApprovedIntent,
    Decision,
    Effect,
    EventData,
    ExecutionEvent,
    FactSource,
    ReturnedIntent,
    SourcePosition,
    ToolCall,
)
from enact.records.codec import encode, encode_json
from enact.records.intent import Original
from tests.factories import make_intent
from tests.unit.enact.event_factories import NONE, START_MS, a_claim, a_fact, a_tool_call, an_event

CALLS, LOG = "t.tool-calls", "t.executions"
APPROVED, RETURNED, ADMISSIONS = "t.approved", "t.returned", "t.admissions"


def broker(*topics: str) -> LocalBroker:
    made = LocalBroker(ManualClock(wall_ms=START_MS))
    for topic in topics:
        made.create_topic(topic, 1)
    return made


def put(made: LocalBroker, topic: str, key: bytes, value: bytes | None) -> None:
    made.writer().send(OutRecord(topic, 0, key, value))


def whole(made: LocalBroker, *topics: str, start: int = 0) -> list[Move]:
    moves = []
    for topic in topics:
        one = TopicPartition(topic, 0)
        begin, end = made.bounds(one)
        moves.append(Move(partition=one, begin=begin, end=end, committed=end, target=NextOffset(max(start, begin))))
    return moves


def call(made: LocalBroker, name: str) -> ToolCall:
    asked = a_tool_call(action_intent_id=name, effect_class=NONE)
    put(made, CALLS, name.encode(), encode(asked))
    return asked


def event(made: LocalBroker, name: str, data: EventData) -> None:
    told = replace(an_event(data), action_intent_id=name)
    put(made, LOG, key_of(told.tenant_id, name), encode(told))


def invocation(made: LocalBroker, moves: list[Move]) -> dict[str, int]:
    kinds = {CALLS: ToolCall, LOG: ExecutionEvent}
    return dict(prospect(moves, log=LOG, kinds=kinds, open_reader=made.log_reader, clock=made.clock))


def validation(made: LocalBroker, moves: list[Move]) -> dict[str, int]:
    kinds = {APPROVED: ApprovedIntent, RETURNED: ReturnedIntent, ADMISSIONS: Admission}
    return dict(prospect(moves, log=ADMISSIONS, kinds=kinds, open_reader=made.log_reader, clock=made.clock))


def with_every_standing() -> LocalBroker:
    """One that ended, one open, one in doubt, one the log does not know, one that nobody can read."""
    made = broker(CALLS, LOG)
    for name in ("ended", "open", "doubt", "unknown"):
        call(made, name)
    put(made, CALLS, b"x", b"{}")
    for name in ("ended", "open", "doubt"):
        event(made, name, a_claim(nonce=f"n-{name}", effect_class=NONE))
    event(made, "ended", a_fact(nonce="n-ended", effect=Effect.APPLIED))
    event(made, "doubt", a_fact(nonce="n-doubt", effect=Effect.UNKNOWN, source=FactSource.CALL))
    return made


def test_executions_of_invocation_are_counted_by_how_they_stand() -> None:
    made = with_every_standing()

    found = invocation(made, whole(made, CALLS))

    assert found == {"ended": 1, "open": 1, "in_doubt": 1, "unknown": 1, "unreadable": 1}
    assert found.keys() <= WORDS.keys()


def test_a_rewound_log_alone_meets_the_executions_of_its_records() -> None:
    made = with_every_standing()

    assert invocation(made, whole(made, LOG, start=3)) == {"ended": 1, "in_doubt": 1}


def test_what_is_not_read_again_is_not_counted() -> None:
    made = with_every_standing()

    assert invocation(made, whole(made, CALLS, start=3)) == {"unknown": 1, "unreadable": 1}
    assert invocation(made, whole(made, CALLS, start=99)) == {}


def admission(name: str, decision: Decision, generation: int = 1) -> Admission:
    return Admission(
        tenant_id="tenant-1",
        action_intent_id=name,
        generation=generation,
        decision=decision,
        source=SourcePosition(topic=APPROVED, partition=0, offset=0),
        decided_at_ms=START_MS,
    )


def test_intents_of_validation_are_counted_by_what_was_decided() -> None:
    made = broker(APPROVED, RETURNED, ADMISSIONS)
    for name in ("yes", "no", "new"):
        put(made, APPROVED, name.encode(), encode_json(make_intent(tenant_id="tenant-1", action_intent_id=name)))
    again = ReturnedIntent(tenant_id="tenant-1", action_intent_id="redriven", generation=2, cause="REDRIVE")
    put(made, RETURNED, b"redriven", encode(again))
    foreign = make_intent(tenant_id="tenant-1", action_intent_id="foreign")
    bytes_of_it = Original(key=b"foreign", value=encode_json(foreign))
    put(made, RETURNED, b"foreign", encode(ReturnedIntent(generation=1, cause="PARTITION", original=bytes_of_it)))
    for told in (
        admission("yes", Decision.ADMITTED),
        admission("no", Decision.REFUSED),
        admission("redriven", Decision.REFUSED),
        admission("redriven", Decision.ADMITTED, generation=2),
        admission("foreign", Decision.ADMITTED),
    ):
        put(made, ADMISSIONS, key_of("tenant-1", told.action_intent_id, str(told.generation)), encode(told))
    put(made, ADMISSIONS, key_of("tenant-1", "no", "9"), None)

    assert validation(made, whole(made, APPROVED, RETURNED)) == {"admitted": 3, "refused": 1, "unknown": 1}
