"""What must not lie in the tree: one machine's paths, download addresses, locks without hashes, stale renderings."""

import re
import tomllib
from collections.abc import Iterable
from pathlib import PurePosixPath

import pytest

from tests.architecture.tree import ROOT, files, spell
from topology.render import documents

# Written in parts, so that this file does not find itself.
FOLDERS = ("wo" + "rk", "ro" + "ot", "ho" + r"me/\w+", "Us" + r"ers/\w+", "opt/whe" + "els")
MACHINE_PATH = re.compile(r"(?<![\w.-])/(?:" + "|".join(FOLDERS) + r")(?=/|\b)")
DOWNLOAD_HOST = re.compile(
    "|".join(
        re.escape(".".join(parts))
        for parts in (
            ("pypi", "org"),
            ("pythonhosted", "org"),
            ("repo1", "maven", "org"),
            ("repo", "maven", "apache", "org"),
            ("repo", "maven"),
            ("registry", "npmjs"),
            ("proxy", "golang"),
            ("crates", "io"),
            ("ghcr", "io"),
            ("quay", "io"),
        )
    )
)
PINNED = re.compile(r"^[A-Za-z0-9][\w.-]*(?:\[[\w,-]+\])?==\S+")


def told_secrets(given: Iterable[tuple[PurePosixPath, str]]) -> list[str]:
    """Lines that name a path of somebody's machine, or where packages are downloaded from."""
    return [
        f"{path}:{number} {kind}"
        for path, text in given
        for number, line in enumerate(text.splitlines(), start=1)
        for kind, pattern in (("names a machine's path", MACHINE_PATH), ("names a download host", DOWNLOAD_HOST))
        if pattern.search(line)
    ]


def lock_faults(text: str) -> list[str]:
    """What is wrong with a lock file: options, addresses, requirements without a hash."""
    found = [f"option {line.split()[0]}" for line in text.splitlines() if line.startswith("-")]
    found += ["an address" for line in text.splitlines() if "://" in line]
    entries = re.split(r"\n(?=[A-Za-z0-9])", "\n" + "\n".join(line for line in text.splitlines() if not line.startswith(("#", "-"))))
    for entry in entries[1:]:
        if PINNED.match(entry) is None:
            found.append(f"not pinned: {entry.splitlines()[0]}")
        elif "--hash=sha256:" not in entry:
            found.append(f"no hash: {entry.splitlines()[0]}")
    return found


def requirements(text: str) -> set[str]:
    return {line.strip() for line in text.splitlines() if line.strip() and not line.startswith(("#", "-"))}


def pins(text: str) -> set[str]:
    """`name==version` of every locked package."""
    return {line.split()[0] for line in text.splitlines() if PINNED.match(line)}


def project_name(requirement: str) -> str:
    """`SQLAlchemy>=2` is locked as `sqlalchemy`."""
    return re.split(r"[\[<>=]", requirement.lower())[0].replace("_", "-")


def test_no_file_names_a_machine_s_path_or_a_download_host() -> None:
    found = told_secrets(files())

    assert not found, spell(found)


@pytest.mark.parametrize("lock", ["main.lock", "dev.lock", "build.lock"])
def test_a_lock_has_a_hash_for_every_requirement_and_no_address(lock: str) -> None:
    text = (ROOT / "requirements" / lock).read_text(encoding="utf-8")

    assert text.count("==") > 3
    assert lock_faults(text) == []


def test_what_is_locked_is_what_was_asked_for() -> None:
    locked = {name: (ROOT / f"requirements/{name}.lock").read_text(encoding="utf-8").lower() for name in ("main", "dev", "build")}

    for name, lock in locked.items():
        asked = requirements((ROOT / f"requirements/{name}.in").read_text(encoding="utf-8"))
        missing = [one for one in asked if f"\n{project_name(one)}==" not in lock]
        assert not missing, f"{name}.lock lacks {missing}: run `make lock`"


def test_all_locks_hold_the_same_versions() -> None:
    main, build, dev = (pins((ROOT / f"requirements/{name}.lock").read_text(encoding="utf-8")) for name in ("main", "build", "dev"))

    assert main
    assert build
    assert main | build <= dev, f"run `make lock`: {sorted((main | build) - dev)}"


def test_the_package_asks_for_what_requirements_main_in_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert set(project["dependencies"]) == requirements((ROOT / "requirements/main.in").read_text(encoding="utf-8"))


def test_rendered_files_are_fresh() -> None:
    stale = [path for path, text in documents().items() if (ROOT / path).read_text(encoding="utf-8") != text]

    assert stale == [], "run `make render`"


@pytest.mark.parametrize(
    "line", ["cd /wo" + "rk/main", "see /ro" + "ot/.cache", "'/ho" + "me/anna/x'", "--find-links /opt/whe" + "els", "/Us" + "ers/b/c"]
)
def test_a_machine_s_path_is_caught(line: str) -> None:
    assert told_secrets([(PurePosixPath("docs/x.md"), f"fine\n{line}")]) == ["docs/x.md:2 names a machine's path"]


@pytest.mark.parametrize(
    "host", ["https://py" + "pi.org/simple", "files.python" + "hosted.org", "repo1.ma" + "ven.org/maven2", "gh" + "cr.io/x"]
)
def test_a_download_host_is_caught(host: str) -> None:
    assert told_secrets([(PurePosixPath("x"), host)]) == ["x:1 names a download host"]


@pytest.mark.parametrize("line", ["docs/home/x", "the root/leaf", "GET /executions/{id}", "see www.apache.org", "network/workers"])
def test_an_ordinary_line_is_left_alone(line: str) -> None:
    assert told_secrets([(PurePosixPath("x"), line)]) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a==1 \\\n    --hash=sha256:00\nb==2\n    # via a\n", "no hash: b==2"),
        ("a>=1 \\\n    --hash=sha256:00\n", "not pinned: a>=1 \\"),
        ("--find-links somewhere\na==1 \\\n    --hash=sha256:00\n", "option --find-links"),
        ("# from https://example.org\na==1 \\\n    --hash=sha256:00\n", "an address"),
    ],
)
def test_a_bad_lock_is_caught(text: str, fault: str) -> None:
    assert lock_faults(text) == [fault]
