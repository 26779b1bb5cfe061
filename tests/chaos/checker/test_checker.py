"""The checker sees each promise broken, once; and says unknown where the folder does not tell."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.checker.__main__ import main
from tests.chaos.checker.run_folder import BEGAN_MS, ENDED_MS, ID, TENANT, RunFolder, healthy, refused


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return healthy(tmp_path)


def test_a_healthy_run_is_ok_and_exits_with_zero(run: RunFolder) -> None:
    assert run.broken() == set()
    assert run.undecided() == set()
    assert main([str(run.folder)]) == 0


@pytest.mark.parametrize("status", ["FAILED", "EXPIRED", "CANCELLED"])
def test_an_intent_that_ended_without_a_call_is_ok(tmp_path: Path, status: str) -> None:
    run = refused(tmp_path, status)

    assert run.broken() == run.undecided() == set()


class TestVerdicts:
    def test_an_intent_of_which_nothing_is_told_is_lost(self, run: RunFolder) -> None:
        run.topics["outcomes"].clear()

        assert "every_intent_has_one_verdict" in run.broken()

    def test_an_intent_that_the_log_never_saw_is_lost(self, run: RunFolder) -> None:
        for short in ("outcomes", "executions", "signals", "ledger"):
            run.topics[short].clear()
        run.files["receipts"].clear()
        run.files["applications"].clear()

        assert run.broken() == {"every_intent_has_one_verdict"}

    def test_an_intent_published_a_moment_ago_is_unknown(self, tmp_path: Path) -> None:
        run = RunFolder(tmp_path)
        run.publish(acked_ms=ENDED_MS - 1_000)
        run.admit()

        assert "every_intent_has_one_verdict" in run.undecided()

    def test_a_verdict_that_the_log_does_not_give_is_seen(self, run: RunFolder) -> None:
        run.topics["executions"].pop()
        run.fact("UNKNOWN", error=None)

        assert "every_intent_has_one_verdict" in run.broken()

    def test_a_second_verdict_of_one_generation_is_seen(self, run: RunFolder) -> None:
        run.outcome("CANCELLED", version=0)
        run.outcome("FAILED", version=0)

        assert "every_intent_has_one_verdict" in run.broken()

    def test_proof_of_an_effect_may_follow_an_ending(self, run: RunFolder) -> None:
        run.outcome("FAILED", version=0)

        assert run.broken() == set()

    def test_a_valid_intent_that_is_only_a_dead_letter_is_unknown_and_a_hostile_one_ok(self, tmp_path: Path) -> None:
        headers: Any = {
            f"__connect.errors.{name}": value for name, value in (("topic", "x.intents.approved.v1"), ("partition", "0"), ("offset", "0"))
        }
        run = RunFolder(tmp_path)
        run.publish()
        run.put("validation.dlq", b"{}", key=ID.encode(), **headers)
        run.look()
        run.looks()

        assert run.undecided() == {"every_intent_has_one_verdict"}
        run.files["published"][0]["expects"] = "dead_letter"
        assert run.undecided() == run.broken() == set()

    def test_a_record_that_is_neither_decided_nor_a_dead_letter_is_seen(self, run: RunFolder) -> None:
        run.put("intents.approved", b"nonsense")

        assert run.broken() == {"every_record_is_accounted_for"}

    @pytest.mark.parametrize("short", ["signals", "ledger"])
    def test_an_outcome_without_its_signal_or_its_ledger_is_seen(self, run: RunFolder, short: str) -> None:
        run.topics[short].clear()

        assert run.broken() == {"outcomes_have_signal_and_ledger"}

    def test_a_signal_under_two_ids_is_seen(self, run: RunFolder) -> None:
        run.signal(signal_id="s2")

        assert run.broken() == {"outcomes_have_signal_and_ledger"}

    def test_an_attempt_without_its_ledger_entry_is_seen(self, run: RunFolder) -> None:
        run.topics["ledger"].pop(0)

        assert run.broken() == {"outcomes_have_signal_and_ledger"}

    def test_a_record_that_nobody_can_read_is_seen(self, run: RunFolder) -> None:
        run.put("ledger", b"\x07")

        assert run.broken() == {"logs_are_readable"}


class TestEffects:
    def test_two_objects_of_one_intent_are_seen(self, run: RunFolder) -> None:
        run.apply(object_id="o2")

        assert run.broken() == {"applies_at_most_once"}

    def test_the_same_object_written_twice_is_one_effect_of_an_upsert_and_two_of_none(self, tmp_path: Path) -> None:
        upsert, none = healthy(tmp_path / "upsert"), healthy(tmp_path / "none", action_type="SANDBOX_FIRE_ONCE", effect_class="NONE")
        upsert.apply()
        none.apply()

        assert upsert.broken() == set()
        assert none.broken() == {"applies_at_most_once"}

    def test_an_effect_under_a_key_of_nobody_s_is_seen(self, run: RunFolder) -> None:
        run.append("internal-objects", "internal_object", object_id="note-0000", tenant_id=TENANT)

        assert run.broken() == {"applies_at_most_once"}

    def test_two_receipts_of_one_attempt_are_seen(self, run: RunFolder) -> None:
        run.receipt()

        assert run.broken() == {"receipts_are_permitted"}

    def test_a_receipt_without_a_claim_is_seen(self, run: RunFolder) -> None:
        run.receipt("other")

        assert "receipts_are_permitted" in run.broken()

    def test_a_receipt_that_names_no_attempt_is_seen(self, run: RunFolder) -> None:
        run.receipt(attempt=None)

        assert run.broken() == {"receipts_are_permitted"}

    def test_a_receipt_of_a_claim_that_the_log_does_not_permit_is_seen(self, run: RunFolder) -> None:
        run.claim(2, "n2", at_ms=BEGAN_MS + 500)
        run.receipt("n2", at_ms=BEGAN_MS + 600)

        assert run.broken() == {"receipts_are_permitted"}

    def test_a_receipt_that_came_before_its_claim_is_seen(self, run: RunFolder) -> None:
        run.files["receipts"][0]["at_ms"] = BEGAN_MS + 50

        assert run.broken() == {"receipts_are_permitted"}

    def test_a_receipt_in_another_tenant_s_name_is_seen(self, run: RunFolder) -> None:
        run.files["receipts"][0]["tenant"] = "globex"

        assert run.broken() == {"receipts_are_permitted"}

    def test_a_released_claim_that_was_called_is_seen(self, run: RunFolder) -> None:
        run.event("RELEASED", "Released", {"attempt": 1, "nonce": "n1"}, at_ms=BEGAN_MS + 500)

        assert run.broken() == {"released_claims_never_called"}

    def test_a_call_without_a_valid_approval_is_seen(self, run: RunFolder) -> None:
        run.files["published"][0]["is_approved"] = False

        assert "calls_are_approved" in run.broken()

    def test_a_call_that_nobody_published_is_seen(self, run: RunFolder) -> None:
        run.files["published"].clear()

        assert "calls_are_approved" in run.broken()

    def test_an_object_with_other_words_than_were_approved_is_seen(self, run: RunFolder) -> None:
        run.files["objects"][0]["fields"]["Subject"] = "Call Mr Wu"

        assert run.broken() == {"calls_are_approved"}

    def test_succeeded_without_an_effect_is_seen(self, run: RunFolder) -> None:
        run.files["applications"].clear()

        assert run.broken() == {"succeeded_means_applied"}

    @pytest.mark.parametrize("status", ["FAILED", "EXPIRED", "CANCELLED"])
    def test_an_effect_although_it_ended_without_one_is_seen(self, tmp_path: Path, status: str) -> None:
        run = refused(tmp_path, status)
        run.apply(at_ms=ENDED_MS - 500)

        assert "succeeded_means_applied" in run.broken()

    def test_what_was_not_watched_for_a_minute_is_unknown(self, tmp_path: Path) -> None:
        run = refused(tmp_path)
        run.run["collected_ms"] = BEGAN_MS + 30_000

        assert "succeeded_means_applied" in run.undecided()


class TestStops:
    def engage(self, run: RunFolder, scope: str, *, acked_ms: int | None = BEGAN_MS - 2_500) -> None:
        run.files["commands"].append(
            {"kind": "engage", "scope": scope, "engagement_id": "g", "sent_ms": BEGAN_MS - 3_000, "acked_ms": acked_ms}
        )

    @pytest.mark.parametrize("scope", ["global", "tenant:acme", "action_type:CREATE_CRM_TASK"])
    def test_a_call_after_a_stop_of_its_scope_is_seen(self, run: RunFolder, scope: str) -> None:
        self.engage(run, scope)

        assert run.broken() == {"no_call_after_a_stop"}

    @pytest.mark.parametrize("scope", ["tenant:globex", "action_type:SANDBOX_FIRE_ONCE", "connector:calendar"])
    def test_a_stop_of_others_stops_nobody_else(self, run: RunFolder, scope: str) -> None:
        self.engage(run, scope)

        assert run.broken() == set()

    def test_a_call_after_the_release_or_without_an_acknowledgement_is_ok(self, run: RunFolder) -> None:
        self.engage(run, "global", acked_ms=None)
        self.engage(run, "tenant:acme")
        run.files["commands"].append(
            {"kind": "release", "scope": "tenant:acme", "engagement_id": "g", "sent_ms": BEGAN_MS - 100, "acked_ms": None}
        )

        assert run.broken() == set()

    def test_a_late_release_of_another_engagement_permits_nothing(self, run: RunFolder) -> None:
        self.engage(run, "tenant:acme")
        run.files["commands"].append(
            {"kind": "release", "scope": "tenant:acme", "engagement_id": "old", "sent_ms": BEGAN_MS - 100, "acked_ms": 0}
        )

        assert run.broken() == {"no_call_after_a_stop"}

    @pytest.mark.parametrize(("thawed_ms", "broken"), [(-1, set()), (-2_000, {"no_call_after_a_stop"})])
    def test_a_call_that_a_frozen_world_read_late_is_not_decided(self, run: RunFolder, thawed_ms: int, broken: set[str]) -> None:
        self.engage(run, "tenant:acme")
        from_ms, to_ms = run.files["commands"][-1]["acked_ms"] - 1_000, BEGAN_MS + thawed_ms
        run.files["faults"].append({"kind": "world_freeze", "target": "", "from_ms": from_ms, "to_ms": to_ms, "detail": {}})

        assert run.broken() == broken

    @pytest.mark.parametrize(("released_ms", "broken"), [(-100, set()), (-1_000_000, {"no_call_after_a_stop"})])
    def test_an_engage_whose_answer_told_no_name_ends_with_the_next_release_of_its_scope(
        self, run: RunFolder, released_ms: int, broken: set[str]
    ) -> None:
        self.engage(run, "tenant:acme")
        del run.files["commands"][-1]["engagement_id"]
        run.files["commands"].append(
            {"kind": "release", "scope": "tenant:acme", "engagement_id": "g", "sent_ms": BEGAN_MS + released_ms, "acked_ms": 0}
        )

        assert run.broken() == broken

    def test_a_call_long_after_the_broker_died_is_seen_and_one_soon_after_is_not(self, run: RunFolder) -> None:
        fault = {"kind": "broker_kill", "target": "broker", "from_ms": BEGAN_MS - 1_000, "to_ms": BEGAN_MS + 60_000, "detail": {}}
        run.files["faults"].append(fault)
        assert run.broken() == set()

        fault["from_ms"] = BEGAN_MS - 3_000
        assert run.broken() == {"no_call_without_a_broker"}

    def test_a_late_call_of_a_process_that_was_frozen_over_the_stop_is_a_named_window(self, run: RunFolder) -> None:
        self.engage(run, "global")
        detail = {"kind": "stop", "target": "invocation.0", "from_ms": BEGAN_MS - 4_000, "to_ms": BEGAN_MS + 150, "detail": {}}
        run.files["faults"].append(detail)

        assert run.undecided() == {"no_call_after_a_stop"}
        assert run.broken() == set()

    def test_a_failpoint_s_freeze_is_such_a_window_too(self, run: RunFolder) -> None:
        self.engage(run, "global")
        line = {
            "t_ms": BEGAN_MS - 4_000,
            "stage": "invocation",
            "failpoint": "before_first_byte",
            "what": "stop",
            "count": 1,
            "seconds": 4.1,
        }
        run.files["failpoints"].append(line)

        assert run.undecided() == {"no_call_after_a_stop"}
        assert run.broken() == set()


class TestHealing:
    def test_lag_that_does_not_end_is_seen(self, run: RunFolder) -> None:
        run.files["groups"].clear()
        run.look(lag=3)
        run.look(lag=3, at_ms=BEGAN_MS + 120_000)

        assert run.broken() == {"lag_ends_after_healing", "no_partition_stays_paused"}

    def test_lag_at_the_last_look_is_unknown_while_there_is_time_left(self, run: RunFolder) -> None:
        run.look(lag=3, at_ms=BEGAN_MS + 60_000)

        assert run.undecided() == {"no_partition_stays_paused"}
        assert run.broken() == set()

    def test_lag_that_ends_too_late_is_seen(self, run: RunFolder) -> None:
        run.files["groups"].clear()
        run.look(lag=3)
        run.look(at_ms=BEGAN_MS + 120_000)

        assert run.broken() == {"lag_ends_after_healing"}

    def test_a_run_at_whose_lag_nobody_looked_is_unknown(self, run: RunFolder) -> None:
        run.files["groups"].clear()

        assert run.undecided() == {"lag_ends_after_healing", "no_partition_stays_paused"}

    @pytest.mark.parametrize(("what", "late"), [("threads", 30), ("fds", 100), ("rss", 300_000_000)])
    def test_a_process_that_grows_is_seen(self, run: RunFolder, what: str, late: int) -> None:
        run.files["processes"].clear()
        run.looks(what, late)

        assert run.broken() == {"nothing_grows"}

    def test_a_run_at_whose_processes_nobody_looked_is_unknown(self, run: RunFolder) -> None:
        run.files["processes"].clear()

        assert run.undecided() == {"nothing_grows"}
        assert main([str(run.folder)]) == 2


def test_a_folder_that_is_no_finished_run_s_is_not_decided(run: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    run.run["is_collected"] = False
    run.write()

    assert main([str(run.folder)]) == 3
    assert "was not collected" in capsys.readouterr().err


def test_a_violation_exits_with_one_and_is_told(run: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    run.receipt()
    run.write()

    assert main([str(run.folder)]) == 1
    assert "2 receipts for attempt 1 of acme/int-1" in capsys.readouterr().out
    assert json.loads((run.folder / "result.json").read_text())["invariants"]["receipts_are_permitted"]["violation"] == 2


def test_what_no_run_ever_met_is_named(run: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    run.files["failpoints"].append({"t_ms": 0, "stage": "invocation", "pid": 1, "failpoint": "after_claim", "what": "passed", "count": 1})
    run.write()
    main([str(run.folder)])
    capsys.readouterr()

    assert main(["--reached", str(run.folder)]) == 2

    said = capsys.readouterr().out
    assert "failpoints never met: after_read" in said
    assert "after_claim" not in said
    assert "world_modes never met: fail_before" in said
