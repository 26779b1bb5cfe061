"""From rounds to a result, its budgets, tables and picture."""

import json
from xml.etree import ElementTree as ET

from benchmarks.plot import svg
from benchmarks.quotes import BEGIN, END, block_of, quoted
from benchmarks.report import bare_line, markdown, shown, tables
from benchmarks.summary import work
from tests.unit.benchmarks.results import result

BUDGET_COUNT = 13


def budget(of: dict[str, object], name: str) -> dict[str, object]:
    budgets = of["budgets"]
    assert isinstance(budgets, list)
    (found,) = [one for one in budgets if one["name"] == name]
    assert isinstance(found, dict)
    return found


def test_ratios_are_median_by_median() -> None:
    ratios = result()["ratios"]

    assert ratios["throughput"] == 0.25
    assert ratios["throughput_without_api"] == 0.3
    assert ratios["throughput_class_d"] == 0.2
    assert ratios["class_d_to_class_p"] == 0.8
    assert ratios["slow_tool"] == 1.0
    assert ratios["cpu"] == 2.0
    assert ratios["unloaded_p50"] == 2.0
    assert ratios["at_200_p99"] == 2.0


def test_without_the_bare_loop_there_are_no_ratios_against_it_and_the_result_says_why() -> None:
    found = result(has_bare=False)

    assert found["ratios"]["throughput"] is None
    assert found["ratios"]["slow_tool"] == 1.0
    assert "there is no bare_loop.py" in bare_line(found)
    assert budget(found, "throughput against the bare loop")["is_kept"] is None


def test_every_round_is_kept_beside_the_medians() -> None:
    found = result()

    assert [one["saturated"]["executions_per_s"] for one in found["rounds"]["columns"]["P"]] == [900.0, 1000.0, 1300.0]
    assert found["columns"]["P"]["saturated"]["executions_per_s"] == 1000.0
    assert found["spread"]["P"] == 0.4
    assert json.loads(json.dumps(found)) == found


def test_a_budget_says_whether_it_is_kept_and_by_how_much() -> None:
    found = result()

    missed, kept = budget(found, "throughput against the bare loop"), budget(found, "latency unloaded, p99")
    assert (missed["found"], missed["is_kept"], missed["room"]) == (0.25, False, 0.83)
    assert (kept["found"], kept["is_kept"], kept["room"]) == (40.0, True, 1.5)
    assert len(found["budgets"]) == BUDGET_COUNT


def test_cpu_is_judged_by_record_and_the_call_by_what_invocation_takes_beyond_its_records() -> None:
    taken = {"validation": 2.0, "tool_mapping": 1.0, "recording": 2.0, "invocation": 3.0}
    cpu = {"validation": 100.0, "tool_mapping": 90.0, "recording": 120.0, "invocation": 400.0, "api": 50.0}
    load = {f"stages.{stage}.records_per_execution": number for stage, number in taken.items()}

    found = work({**load, **{f"cpu_us.{name}": value for name, value in cpu.items()}})

    assert found["dearest_stage"] == 90.0
    assert found["call"] == 160.0
    assert found["api"] == 50.0
    assert work({})["dearest_stage"] is None


def test_a_restore_of_fewer_than_a_million_is_shown_and_keeps_no_promise() -> None:
    small, whole = result(executions=100_000), result(executions=1_000_000)

    assert budget(small, "restore of 10⁶ executions, empty folder")["found"] is None
    assert budget(whole, "restore of 10⁶ executions, empty folder")["found"] == 30.0
    assert budget(whole, "restore of 10⁶ executions, local state")["is_kept"] is True
    assert any(table.title.startswith("Restore") for table in tables(small))
    assert not any(table.title.startswith("Restore") for table in tables(result()))


def test_what_rests_is_taken_of_enact_up_where_it_was_measured() -> None:
    with_up, without = result(), result(has_up=False)

    assert budget(with_up, "idle CPU, everything together")["found"] == 0.1
    assert budget(with_up, "memory of the largest stage at rest")["found"] == 70.0
    assert budget(without, "idle CPU, everything together")["found"] == 0.06
    assert budget(without, "memory of the largest stage at rest")["found"] == 80.0
    assert budget(without, "enact up, ready")["found"] is None


def test_numbers_are_shown_with_three_digits_that_matter() -> None:
    assert [shown(value) for value in (None, 0, 0.04113, 1.5, 12.345, 99.96, 123.4, 5942.9, 1234567)] == [
        "–", "0", "0.0411", "1.5", "12.3", "100", "123", "5,943", "1,234,567",
    ]  # fmt: skip


def test_the_page_has_every_column_machine_and_budget() -> None:
    page = markdown(result(executions=1_000_000), plot="result.svg")

    assert "![" in page
    for text in ("bare loop", "P-no-api", "cores", "MISSED", "kept", "Publish → outcome", "## Restore", "kafka 4."):
        assert text in page, text
    for table in tables(result()):
        assert all(len(row) == len(table.columns) for row in table.rows), table.title


def test_the_picture_is_valid_and_has_a_bar_for_each_rate() -> None:
    root = ET.fromstring(svg(result()))

    texts = [element.text for element in root.iter() if element.tag.endswith("text")]
    for label in ("saturated, P", "saturated, D", "saturated, bare loop", "slow tool, P", "ledger"):
        assert label in texts
    widths = [float(element.get("width", "0")) for element in root.iter() if element.tag.endswith("rect")]
    assert min(widths) >= 0
    assert max(widths[1:]) <= 860 - 190


def test_what_may_be_quoted_are_the_result_s_ratios_and_nothing_else() -> None:
    found = result()

    block = quoted(found)

    assert block.startswith(BEGIN)
    assert block.endswith(END)
    assert "| executions per second, of the bare client loop's | 0.25 |" in block
    assert "1000" not in block
    assert block_of(f"before\n{block}\nafter") == block
    assert block_of("nothing") is None
    assert quoted(result(has_bare=False)).count("\n| ") < block.count("\n| ")
