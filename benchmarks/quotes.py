"""What the README may say of a result: ratios, with where they come from, between two marks; written and checked by machine.

python -m benchmarks.quotes          write README.md's block again from benchmarks/results/result.json
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks.report import shown

ROOT: Final = Path(__file__).resolve().parents[1]
RESULT: Final = ROOT / "benchmarks" / "results" / "result.json"
BEGIN, END = "<!-- ratios: made by `python -m benchmarks.quotes`, do not edit -->", "<!-- end of ratios -->"

WORDS: Final = {
    "throughput": "executions per second, of the bare client loop's",
    "throughput_without_api": "the same with the api off",
    "throughput_class_d": "the same when every decision also survives a power cut",
    "slow_tool": "executions per second with a tool that takes 20 ms, of those with an instant tool",
    "unloaded_p50": "time from publish to outcome, unloaded (p50), times the bare loop's",
    "at_200_p99": "the same at 200 a second (p99)",
    "cpu": "CPU per execution, broker included, times the bare loop's",
}


def quoted(result: Mapping[str, Any]) -> str:
    """The block, marks included; a ratio that was not measured is left out."""
    rows = [f"| {words} | {shown(result['ratios'][name])} |" for name, words in WORDS.items() if result["ratios"].get(name) is not None]
    machine = result["machine"]
    where = f"{result['date'][:10]}, {machine['cores']} cores, Apache Kafka {result['versions']['kafka']}"
    return "\n".join([BEGIN, f"| measured {where} | ratio |", "| --- | --- |", *rows, END])


def block_of(text: str) -> str | None:
    """The block as it stands in a text; None if there is none."""
    start, end = text.find(BEGIN), text.find(END)
    return text[start : end + len(END)] if 0 <= start < end else None


def main() -> int:
    """Put the block into README.md in place of the old one."""
    readme = ROOT / "README.md"
    text, result = readme.read_text(encoding="utf-8"), json.loads(RESULT.read_text(encoding="utf-8"))
    if result["kind"] != "full":
        sys.stderr.write(f"{RESULT.name} is of a {result['kind']} run, too short to be quoted: run `enact bench --out` without --quick.\n")
        return 1
    old = block_of(text)
    if old is None:
        sys.stderr.write(f"README.md has no block to replace: put these two lines where it belongs:\n{BEGIN}\n{END}\n")
        return 1
    readme.write_text(text.replace(old, quoted(result)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
