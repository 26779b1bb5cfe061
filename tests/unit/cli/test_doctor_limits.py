"""The doctor says whether a stage would find limits that it can read."""

from pathlib import Path

from cli.doctor_finding import Level
from cli.doctor_limits import limits


def test_no_file_is_no_fault() -> None:
    (found,) = limits(None)

    assert found.level is Level.OK
    assert "the window alone" in found.text


def test_a_file_that_can_be_read_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "limits.yaml"
    path.write_text("default: {concurrency: 3}\ntenants: {acme: {crm: {rate_per_s: 5}}}")

    (found,) = limits(path)

    assert found.level is Level.OK
    assert "a default; with entries of their own: tenants 1, connectors 0" in found.text


def test_a_file_that_cannot_is_a_fault_with_its_field(tmp_path: Path) -> None:
    path = tmp_path / "limits.yaml"
    path.write_text("default: {concurrency: 0}")

    (found,) = limits(path)

    assert found.level is Level.FAIL
    assert "default.concurrency" in found.text
    assert "keeps the limits it has" in (found.next_step or "")
