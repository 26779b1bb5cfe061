import json

import pytest

from cli.intent_file import read_intents
from tests.factories import intent_json_tree


@pytest.mark.parametrize("text", ['{"a":' * 100_000, "[" * 100_000, '{"a":1}\n' + '{"a":' * 100_000 + "}"])
def test_a_file_of_endless_depth_is_a_problem_and_not_a_crash(text: str) -> None:
    read = read_intents(text, file="intents.json")

    assert read.intents == ()
    assert any("deeper than 64" in problem or "is not JSON" in problem for problem in read.problems)


def test_a_line_separator_inside_a_text_ends_no_line() -> None:
    trees = [intent_json_tree() | {"parameters": {"subject": f"one{mark}two"}} for mark in ("\u2028", "\u0085")]

    read = read_intents("\n".join(json.dumps(tree, ensure_ascii=False) for tree in trees), file="intents.jsonl")

    assert read.problems == ()
    assert len(read.intents) == 2
