"""Every page leads where it says: relative links to files and to headings exist; the rendered list of commands is fresh."""

import re
from pathlib import Path

import pytest

from cli.commands_page import PATH, main, page
from cli.exit_codes import Exit
from cli.verbs import VERBS

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"```.*?```", re.DOTALL)


def anchors(text: str) -> set[str]:
    """Headings as links name them."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(text: str, path: Path) -> list[str]:
    """Relative links of a page that lead nowhere."""
    found = []
    for target in LINK.findall(FENCE.sub("", text)):
        if "://" in target or target.startswith("mailto:"):
            continue
        file, _, anchor = target.partition("#")
        there = path if not file else path.parent / file
        if not there.exists() or (anchor and anchor not in anchors(there.read_text(encoding="utf-8"))):
            found.append(target)
    return found


@pytest.mark.parametrize("page_path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_link_leads_nowhere(page_path: Path) -> None:
    assert broken(page_path.read_text(encoding="utf-8"), page_path) == []


def test_a_link_that_leads_nowhere_is_caught(tmp_path: Path) -> None:
    here = tmp_path / "a.md"
    here.write_text("# One, two\n")

    found = broken("[a](a.md) [b](b.md) [c](#one-two) [d](#three) [e](https://example.org/x)", here)

    assert found == ["b.md", "#three"]


def test_the_page_of_commands_is_fresh_and_names_every_verb_and_code() -> None:
    text = (ROOT / PATH).read_text(encoding="utf-8")

    assert text == page(), "run `make render`"
    assert all(f"`enact {verb}`" in text for verb in VERBS)
    assert all(f"| {code.value} | `{code.name}` |" in text for code in Exit)


def test_a_stale_page_is_noticed_and_written_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "docs").mkdir()

    found = [main(["--check"], tmp_path), main([], tmp_path), main(["--check"], tmp_path)]

    assert found == [Exit.STALE, Exit.OK, Exit.OK]
    assert "make render" in capsys.readouterr().err
