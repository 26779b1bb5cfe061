"""Hostile records through the four stages in one process: each alone beside a good one, and all of them at once."""

import random
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from enact.error_catalogue import CATALOGUE, Consequence
from enact.errors import ErrorCode
from tests.contract.stages.line import Line
from tests.factories import NOW_S
from tests.hostile.case import Row, fine
from tests.hostile.rows import ROWS
from tests.hostile.verdict import table, violations

GOOD = fine("good", lambda ground: ground.intent())
numbers = count(1)


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """One for all rows: what a hostile record leaves behind would spoil the next."""
    line = Line(tmp_path_factory.mktemp("line"))
    yield line
    line.close()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_hostile_record_ends_where_it_belongs_and_says_why(line: Line, row: Row) -> None:
    number, now_s = next(numbers), line.clock.wall_ms() // 1000
    samples = [GOOD.sample(number, now_s), row.sample(number, now_s), GOOD.sample(-number, now_s)]

    line.publish(samples)
    line.settle()

    found = violations(samples, line.look())
    assert not found, "\n".join(found)


def test_all_hostile_records_at_once_leave_the_good_ones_alone(tmp_path: Path) -> None:
    line = Line(tmp_path)
    samples = [row.sample(number, NOW_S) for row in ROWS for number in (1, 2)] + [GOOD.sample(number, NOW_S) for number in range(400)]
    random.Random(4).shuffle(samples)

    line.publish(samples)
    line.settle()

    seen = line.look()
    found = violations(samples, seen)
    assert not found, "\n".join(found)
    print(table(samples, seen))
    line.close()


ELSEWHERE = {
    ErrorCode.KILL_SWITCH_ENABLED: "tests/unit/services/invocation/test_holds.py",
    ErrorCode.UNEXPECTED_ERROR: "tests/unit/enact/kafka/test_stage_loop.py",
}
"""Codes that no record brings about: a switch does, or a fault of our own."""


def test_every_code_that_ends_an_execution_or_a_record_has_a_row() -> None:
    ending = {Consequence.ATTEMPT, Consequence.INTERNAL, Consequence.CANCELLED}
    codes = {code for code, row in CATALOGUE.items() if row.consequence not in ending} - {ErrorCode.RESOLVED_NOT_APPLIED}

    assert {row.code for row in ROWS if row.code} | ELSEWHERE.keys() == codes


def test_every_row_ends_as_the_catalogue_says() -> None:
    without_identity = {row.name for row in ROWS if row.ends is Consequence.DEAD_LETTER_ONLY and row.code is ErrorCode.FIELD_MISSING}
    wrong = [row.name for row in ROWS if row.code and row.ends is not CATALOGUE[row.code].consequence]

    assert set(wrong) == without_identity
    assert all(" as id" in name or " as tenant" in name or name in {"id missing", "tenant missing"} for name in without_identity)
