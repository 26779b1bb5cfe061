"""The README quotes the recorded benchmark's ratios, word by word, and nothing where nothing is recorded."""

import json

from benchmarks.quotes import BEGIN, END, RESULT, block_of, quoted
from tests.architecture.tree import ROOT


def test_the_readme_s_ratios_are_those_of_the_result_file() -> None:
    recorded = quoted(json.loads(RESULT.read_text(encoding="utf-8"))) if RESULT.is_file() else None

    assert block_of((ROOT / "README.md").read_text(encoding="utf-8")) == recorded, "run `python -m benchmarks.quotes`"


def test_a_ratio_that_somebody_improved_by_hand_is_caught() -> None:
    block = f"{BEGIN}\n| measured | ratio |\n| --- | --- |\n| throughput | 0.25 |\n{END}"

    assert block_of(f"text\n{block.replace('0.25', '0.52')}\n") != block
