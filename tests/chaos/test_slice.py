"""A slice of the chaos for every change: always the same seeds and cells, about five minutes; `make chaos` is the whole."""

from pathlib import Path

import pytest

from tests.chaos.lane import result_of
from tests.chaos.runner import Runner

SLICE = (
    "random-0001",
    "matrix-after-claim-kill-silent",
    "matrix-after-send-before-fact-kill-answers",
    "matrix-after-first-byte-stop-silent",
    "matrix-before-last-look-stop-answers",
    "matrix-before-state-write-kill-answers",
    "matrix-after-emission-flush-kill-silent",
)
BOX_S = 240.0


@pytest.mark.timeout(600)
def test_a_slice_of_the_chaos_breaks_no_promise(tmp_path: Path) -> None:
    outcome = Runner(tmp_path, lanes=2, keeps_going=True, within_s=BOX_S).play(SLICE)

    decided = {name: result_of(tmp_path / name) for name in SLICE}
    for name, result in decided.items():
        print(name, "not begun in time" if result is None else (result["result"], result["figures"]))
    broken = {
        name: [example for tally in result["invariants"].values() for example in tally["examples"]]
        for name, result in decided.items()
        if result is not None and result["result"] == "violation"
    }
    assert broken == {}
    assert outcome.results["harness"] == 0, f"could not be played: {outcome.bad}"
    assert decided[SLICE[0]] is not None
