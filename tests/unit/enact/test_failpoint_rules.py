"""What a process does at its boundaries is one variable: read once, refused where it is dangerous, done once."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from enact.errors import ConfigurationError
from enact.failpoint_rules import FOLDER, HITS_FILE, Action, FailpointError, Rule, Rules, enable_failpoints, parse_rules
from enact.failpoints import Failpoint
from enact.settings import KernelSettings, load


def hits(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / HITS_FILE).read_text(encoding="utf-8").splitlines()]


def raising(**changes: Any) -> Rule:
    fields: dict[str, Any] = {"stage": "invocation", "failpoint": Failpoint.AFTER_CLAIM, "action": Action.RAISE, "nth": 1}
    return Rule(**(fields | changes))


def test_a_rule_names_stage_failpoint_action_and_passage() -> None:
    rules = parse_rules("invocation:after_claim=kill@3; *:before_commit=delay(0.2)@0.05/7 ;recording:on_assign=stop(8);watch;")

    assert rules == (
        Rule(stage="invocation", failpoint=Failpoint.AFTER_CLAIM, action=Action.KILL, nth=3),
        Rule(stage="*", failpoint=Failpoint.BEFORE_COMMIT, action=Action.DELAY, seconds=0.2, probability=0.05, seed=7),
        Rule(stage="recording", failpoint=Failpoint.ON_ASSIGN, action=Action.STOP, seconds=8.0, nth=1),
    )


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("after_claim=kill", "write stage:failpoint=action"),
        ("invocation:nowhere=kill", "the failpoints are after_read"),
        ("invocation:after_claim=burn", "the actions are kill"),
        ("invocation:after_claim=stop", "takes seconds"),
        ("invocation:after_claim=kill(3)", "takes no seconds"),
        ("invocation:after_claim=kill@0", "write stage:failpoint=action"),
    ],
)
def test_a_rule_that_cannot_be_read_is_refused_with_advice(text: str, advice: str) -> None:
    with pytest.raises(ConfigurationError, match=advice):
        parse_rules(text)


def test_the_production_profile_refuses_failpoints() -> None:
    settings = load(KernelSettings, {"ENACT_FAILPOINTS": "watch", "ENACT_PROFILE": "production"})

    with pytest.raises(ConfigurationError, match="production profile"):
        enable_failpoints("invocation", settings)


def test_a_rule_acts_at_its_passage_once_in_the_life_of_the_data_folder(tmp_path: Path) -> None:
    first, second = (Rules("invocation", [raising(nth=2)], tmp_path / FOLDER) for _ in range(2))

    first(Failpoint.AFTER_CLAIM)
    with pytest.raises(FailpointError):
        first(Failpoint.AFTER_CLAIM)
    for _ in range(3):
        second(Failpoint.AFTER_CLAIM)

    assert [(line["what"], line["count"]) for line in hits(tmp_path / FOLDER)] == [("passed", 1), ("raise", 2), ("passed", 1)]


def test_a_rule_with_a_probability_acts_as_often_as_it_comes(tmp_path: Path) -> None:
    rules = Rules("invocation", [raising(nth=None, probability=0.5, seed=1)], tmp_path / FOLDER)

    acted = 0
    for _ in range(100):
        try:
            rules(Failpoint.AFTER_CLAIM)
        except FailpointError:
            acted += 1

    assert 20 < acted < 80


def test_other_boundaries_are_noted_and_left_alone(tmp_path: Path) -> None:
    rules = Rules("invocation", [raising()], tmp_path / FOLDER)

    rules(Failpoint.AFTER_READ)
    rules(Failpoint.AFTER_READ)

    lines = hits(tmp_path / FOLDER)
    assert len(lines) == 1
    assert lines[0].items() >= {"stage": "invocation", "failpoint": "after_read", "what": "passed"}.items()


PASSES = """
import sys
from pathlib import Path
from enact.failpoint_rules import Rules, parse_rules
from enact.failpoints import Failpoint
Rules("invocation", list(parse_rules(sys.argv[1])), Path(sys.argv[2]))(Failpoint.AFTER_CLAIM)
print("lived on")
"""


def passing(rule: str, folder: Path) -> tuple[int, str, float]:
    """A process that passes one boundary: its exit status, what it said, how long it took."""
    began_s = time.monotonic()
    ended = subprocess.run([sys.executable, "-c", PASSES, rule, str(folder)], capture_output=True, text=True, timeout=30, check=False)
    return ended.returncode, ended.stdout.strip(), time.monotonic() - began_s


def test_kill_ends_a_process_at_once_and_its_successor_lives(tmp_path: Path) -> None:
    died = passing("invocation:after_claim=kill", tmp_path)
    lived = passing("invocation:after_claim=kill", tmp_path)

    assert died[:2] == (-signal.SIGKILL, "")
    assert lived[:2] == (0, "lived on")


def test_stop_freezes_a_process_for_its_seconds(tmp_path: Path) -> None:
    status, said, took_s = passing("invocation:after_claim=stop(1.5)", tmp_path)

    assert (status, said) == (0, "lived on")
    assert took_s >= 1.5
