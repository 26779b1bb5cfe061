import json

import pytest

from enact.errors import ErrorCode
from enact.intent_text import intent_from_json
from enact.kafka.transport import OutRecord
from enact.records import codec
from enact.records.control import Switch
from enact.records.enums import LedgerType, Status, Step, SwitchMode, SwitchState
from enact.records.intent import ExecutionPolicy, Header, Original, ReturnedIntent
from enact.records.ledger import LedgerEntry
from enact.records.tool_call import ToolCall
from services.validation.checks import Limits
from tests.factories import (
    NOW_S,
    intent_json_tree,
    make_action_type,
    make_intent,
    make_registry,
)
from tests.unit.services.validation.world import KEY, World, letter, only, topics


class TestDeadLetterOnly:
    @pytest.mark.parametrize(
        ("value", "key", "code"),
        [
            (None, KEY, ErrorCode.NULL_VALUE),
            (b"", KEY, ErrorCode.MALFORMED_RECORD),
            (b"hello", KEY, ErrorCode.MALFORMED_RECORD),
            (b"{broken", KEY, ErrorCode.MALFORMED_RECORD),
            (b"\xc3\x01\x00", KEY, ErrorCode.MALFORMED_RECORD),
            (b"\xc3\x01" + b"\x07" * 20, KEY, ErrorCode.UNKNOWN_SCHEMA),
            (b"\x00\x00\x00\x00\x01abc", KEY, ErrorCode.UNKNOWN_SCHEMA),
            (codec.encode(make_intent()), b"int-2", ErrorCode.KEY_MISMATCH),
            (codec.encode(make_intent()), None, ErrorCode.KEY_MISMATCH),
            (codec.encode(make_intent(tenant_id="")), KEY, ErrorCode.FIELD_MISSING),
            (codec.encode(make_intent(tenant_id="a b")), KEY, ErrorCode.FIELD_MISSING),
            (codec.encode(make_intent(action_intent_id="")), b"", ErrorCode.FIELD_MISSING),
            (codec.encode(make_intent(action_intent_id="x" * 129)), b"x" * 129, ErrorCode.FIELD_MISSING),
        ],
    )
    def test_what_has_no_readable_identity_is_kept_and_starts_nothing(
        self, value: bytes | None, key: bytes | None, code: ErrorCode
    ) -> None:
        world = World()

        sent = world.publish(value, key=key, headers=(("h", b"1"),))

        kept = letter(sent)
        assert len(sent) == 1
        assert kept.code is code
        assert kept.original == Original(key=key, value=value, headers=(Header(name="h", value=b"1"),))
        assert world.log.records == []

    @pytest.mark.parametrize("field", ["tenant_id", "action_intent_id"])
    def test_json_without_an_identity_is_a_dead_letter_only(self, field: str) -> None:
        tree = intent_json_tree()
        del tree[field]

        sent = World().publish(tree)

        assert (topics(sent), letter(sent).code) == (["dead letter"], ErrorCode.FIELD_MISSING)

    def test_an_intent_above_the_limit_is_refused_before_it_is_decoded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        world = World(limits=Limits(max_intent_bytes=100))
        monkeypatch.setattr(codec, "decode", lambda *_: pytest.fail("it was decoded"))

        sent = world.publish(b"{" + b"x" * 100)

        assert letter(sent).code is ErrorCode.INTENT_TOO_LARGE
        assert letter(sent).message == "The intent has 101 bytes, allowed are 100: keep large content elsewhere and pass a reference."

    def test_an_intent_at_the_limit_is_read(self) -> None:
        size = len(codec.encode(make_intent()))

        assert topics(World(limits=Limits(max_intent_bytes=size)).publish(make_intent())) == ["validated", "ledger"]
        assert topics(World(limits=Limits(max_intent_bytes=size - 1)).publish(make_intent())) == ["dead letter"]

    def test_an_unknown_field_is_refused(self) -> None:
        sent = World().publish(intent_json_tree() | {"surprise": 1})

        assert letter(sent).code is ErrorCode.MALFORMED_RECORD


class TestRefusal:
    def test_a_refusal_goes_down_the_pipeline_with_its_ledger_entry_and_dead_letter(self) -> None:
        world = World()
        intent = make_intent(status="REJECTED")

        sent = world.publish(intent, headers=(("h", b"1"),))

        assert topics(sent) == ["calls", "ledger", "dead letter"]
        call = only(sent, "calls", ToolCall)
        assert call.refusal is not None
        assert (call.refusal.code, call.step, call.generation, call.is_full) == ("NOT_APPROVED", Step.EXECUTE, 1, True)
        assert (call.account_id, call.action_type, call.expires_at_epoch) == ("account-1", "CREATE_CRM_TASK", intent.expires_at_epoch)
        assert intent_from_json(call.intent) == intent
        assert (call.tool_name, call.arguments, call.decision_trace_id) == ("", "", "trace-1")
        entry = only(sent, "ledger", LedgerEntry)
        assert (entry.type, entry.status) == (LedgerType.INTENT_REFUSED, Status.PENDING)
        assert entry.error is not None
        assert entry.error.code == "NOT_APPROVED"
        assert entry.details["approved_by"] == "kim"
        kept = letter(sent)
        assert (kept.code, kept.generation) == (ErrorCode.NOT_APPROVED, 1)
        assert kept.original == Original(key=KEY, value=codec.encode(intent), headers=(Header(name="h", value=b"1"),))

    def test_an_expired_intent_is_refused_without_a_dead_letter(self) -> None:
        sent = World().publish(make_intent(expires_at_epoch=NOW_S))

        call = only(sent, "calls", ToolCall)
        assert topics(sent) == ["calls", "ledger"]
        assert call.refusal is not None
        assert call.refusal.code == "DEADLINE_PASSED"

    @pytest.mark.parametrize("field", ["account_id", "action_type", "target", "parameters", "expires_at_epoch", "status", "approval"])
    def test_each_missing_required_field_is_refused_by_name(self, field: str) -> None:
        tree = intent_json_tree()
        del tree[field]

        sent = World().publish(tree)

        call = only(sent, "calls", ToolCall)
        assert call.refusal is not None
        assert call.refusal.code == "FIELD_MISSING"
        assert field in call.refusal.message
        assert letter(sent).code is ErrorCode.FIELD_MISSING

    @pytest.mark.parametrize(
        ("parameters", "code"),
        [
            ("[1]", "PARAMETERS_INVALID"),
            ("not json", "PARAMETERS_INVALID"),
            ('{"a":1,"a":2}', "PARAMETERS_INVALID"),
            ('{"a":9007199254740993}', "NUMBER_NOT_EXACT"),
            ('{"a":NaN}', "NUMBER_NOT_EXACT"),
        ],
    )
    @pytest.mark.parametrize("wire", ["avro", "json"])
    def test_bad_parameters_fail_the_execution_in_json_and_in_avro(self, parameters: str, code: str, wire: str) -> None:
        avro = codec.encode(make_intent(parameters=parameters))
        value = avro if wire == "avro" else json.dumps(intent_json_tree() | {"parameters": parameters}).encode()

        sent = World().publish(value)

        call = only(sent, "calls", ToolCall)
        assert call.refusal is not None
        assert call.refusal.code == code
        assert (call.tenant_id, call.account_id, call.expires_at_epoch) == ("acme", "account-1", NOW_S + 3600)
        assert letter(sent).original is not None

    def test_a_number_in_the_envelope_that_has_no_exact_form_is_refused_and_not_admitted_without_a_digest(self) -> None:
        sent = World().publish(make_intent(execution_policy=ExecutionPolicy(max_attempts=2**60)))

        call = only(sent, "calls", ToolCall)
        assert call.refusal is not None
        assert (call.refusal.code, call.intent, call.intent_sha256) == ("NUMBER_NOT_EXACT", "", "")

    def test_replay_repeats_a_refusal_and_never_decides_it_again(self) -> None:
        world = World()
        first = world.publish(make_intent(action_type="NOT_YET_KNOWN"))
        world.registry = make_registry(make_action_type(action_type="NOT_YET_KNOWN"))

        again = world.publish(make_intent(action_type="NOT_YET_KNOWN"))

        assert again == [effect for effect in first if isinstance(effect, OutRecord)]
        assert len(world.log.records) == 1

    def test_approval_given_later_does_not_turn_a_refusal(self) -> None:
        world = World()
        world.publish(make_intent(status="PENDING"))

        again = world.publish(make_intent(status="APPROVED"))

        assert topics(again) == ["calls", "ledger"]

    def test_a_switch_that_rejects_fails_the_execution_without_a_dead_letter_and_a_new_generation_is_judged_afresh(self) -> None:
        world = World()
        engaged = Switch(
            scope="connector:crm", engagement_id="e", state=SwitchState.ENGAGED, mode=SwitchMode.REJECT, actor="kim", reason="x", at_ms=1
        )
        world.switches.apply(b"k", engaged)

        sent = world.publish(make_intent())
        world.switches.apply(b"k", None)
        again = world.publish(make_intent())
        redriven = world.return_(ReturnedIntent(tenant_id="acme", action_intent_id="int-1", generation=2, cause="REDRIVE"))

        refusal = only(sent, "calls", ToolCall).refusal
        assert topics(sent) == ["calls", "ledger"], "what a switch rejects is no dead letter"
        assert refusal is not None
        assert refusal.code == "KILL_SWITCH_ENABLED"
        assert "connector:crm rejects; kim engaged it" in refusal.message
        assert only(again, "calls", ToolCall).refusal == refusal, "a replay never decides again"
        assert topics(redriven)[0] == "validated"
