"""The budget of branch coverage is counted by root, and by branches alone."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.branch_coverage import ROOTS, by_root, main


def a_report(taken: dict[str, int], *, has_branches: bool = True) -> dict[str, Any]:
    """100 branches and 900 covered lines in each root."""
    files = {
        f"{root}/one.py": {"summary": {"covered_lines": 900, "num_statements": 900, "covered_branches": count, "num_branches": 100}}
        for root, count in taken.items()
    }
    return {"meta": {"branch_coverage": has_branches}, "files": files}


def ended_with(report: dict[str, Any], folder: Path) -> int:
    path = folder / "coverage.json"
    path.write_text(json.dumps(report))
    return main([str(path)])


def test_a_root_at_the_budget_passes_and_one_below_fails_whatever_its_lines_and_the_others_say(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = dict.fromkeys(ROOTS, 95)

    assert ended_with(a_report(good), tmp_path) == 0
    assert capsys.readouterr().out.count("95.00%\n") == len(ROOTS)
    for root in ROOTS:
        assert ended_with(a_report(dict.fromkeys(ROOTS, 100) | {root: 94}), tmp_path) == 1
        assert f"{root:12}    94 of   100 branches  94.00%  below 95%" in capsys.readouterr().out


def test_a_report_without_a_root_or_without_branches_is_no_report() -> None:
    with pytest.raises(ValueError, match="the branches of connectors"):
        by_root(a_report({"enact": 100, "topology": 100, "services": 100}))
    with pytest.raises(ValueError, match="the branches of enact"):
        by_root(a_report(dict.fromkeys(ROOTS, 100), has_branches=False))


def test_the_files_of_a_root_are_added_up() -> None:
    report = a_report(dict.fromkeys(ROOTS, 90))
    report["files"]["enact/kafka/two.py"] = {"summary": {"covered_branches": 10, "num_branches": 300}}

    enact = by_root(report)[0]

    assert (enact.root, enact.taken, enact.total, enact.ratio) == ("enact", 100, 400, 0.25)
