"""What all runs say together is added up from what lies in their folders, and nothing bad is lost on the way."""

import json
from pathlib import Path
from typing import Any

from tests.chaos.page import rendered, summary
from tests.chaos.runner import undone


def decided(folder: Path, name: str, result: str, **changes: Any) -> None:
    """A run's folder as the checker and the journal leave it."""
    path = folder / name
    path.mkdir(parents=True)
    broken = int(result == "violation")
    run = {"kind": "random", "commit": "abc1234", "frames_harmed": {"delay/fetch": 3}, **changes}
    figures = {
        "intents": 520,
        "statuses": {"SUCCEEDED": 500, "IN_DOUBT": 20},
        "calls": 300,
        "repeated_calls": 7,
        "in_doubt_by_class": {"NONE": 20},
        "faults": {"kill": 2},
        "recovery_s": 3.5,
        "engage_to_last_call_ms": 900,
    }
    reached = {"failpoints": {"after_read": 4}, "actions": {"invocation:after_read=kill": 1}, "statuses": {"SUCCEEDED": 1}}
    invariants = {"applies_at_most_once": {"violation": broken, "unknown": int(result == "unknown"), "ok": 9, "examples": []}}
    (path / "run.json").write_text(json.dumps(run))
    (path / "result.json").write_text(json.dumps({"result": result, "figures": figures, "reached": reached, "invariants": invariants}))
    (path / "published.jsonl").write_text("{}\n" * 600)
    (path / "commands.jsonl").write_text('{"kind": "engage", "acked_ms": 5}\n{"kind": "engage", "acked_ms": null}\n')


def test_runs_are_added_up_by_kind_and_every_violation_and_unknown_is_told(tmp_path: Path) -> None:
    decided(tmp_path, "random-0001", "ok")
    decided(tmp_path, "random-0002", "violation", commit="def5678")
    decided(tmp_path, "random-0003", "unknown")

    page = rendered(summary(tmp_path))

    assert "| intents | 1,560 |" in page
    assert "| publications (some intents more than once) | 1,800 |" in page
    assert "| effects doubled | 1 |" in page
    assert "| lost | 0 |" in page
    assert "ok 1" in page
    assert "violation 1" in page
    assert "unknown 1" in page
    assert "abc1234 2, def5678 1" in page
    assert "| applies at most once | 1 violations, 1 unknown |" in page
    assert "engage, acknowledged 3, engage, not acknowledged 3" in page
    assert "| engage acknowledged until the last call, longest | 900 ms |" in page
    assert "frames harmed by the proxy | 9 |" in page


def test_a_cell_whose_rule_never_acted_is_named(tmp_path: Path) -> None:
    decided(tmp_path, "matrix-after-read-kill-answers", "ok", kind="matrix", failpoint="after_read", action="kill")
    decided(tmp_path, "matrix-after-read-stop-answers", "ok", kind="matrix", failpoint="after_read", action="stop(8)")

    page = rendered(summary(tmp_path))

    assert "The rule acted in 1 of 2 cells." in page
    assert "matrix-after-read-stop-answers" in page
    assert "matrix-after-read-kill-answers" not in page


def test_what_was_never_met_is_named(tmp_path: Path) -> None:
    decided(tmp_path, "random-0001", "ok")

    page = rendered(summary(tmp_path))

    assert "after_claim" in page.partition("Never met")[2]
    assert "failpoints: before_append, " in page


def test_only_decided_runs_are_skipped(tmp_path: Path) -> None:
    decided(tmp_path, "random-0001", "ok")
    (tmp_path / "random-0002").mkdir()

    assert undone(["random-0001", "random-0002", "random-0003"], tmp_path) == ["random-0002", "random-0003"]
