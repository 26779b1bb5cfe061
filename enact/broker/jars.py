"""The jars of Apache Kafka on this machine: fetched once per user, every one checked against the sum in the tree.

`jars.sha256` is the lock: full Maven coordinates and SHA-256 of every jar on the class path. jgo knows where
such coordinates are published (and the user's own mirrors); what it brings is trusted only by its sum.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Protocol

from enact.broker.errors import JarMismatchError, JarsUnavailableError
from enact.broker.file_lock import FileLock

KAFKA_VERSION = "4.3.1"
Progress = Callable[[str], None]
"""Takes one line for a person."""


@dataclass(frozen=True, slots=True)
class Jar:
    """One locked jar."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        """Its name in the folder and in messages."""
        return f"{self.artifact}-{self.version}.jar"

    def __str__(self) -> str:
        return f"{self.group}:{self.artifact}:{self.version}"


class JarSource(Protocol):
    """Brings one jar to this machine."""

    def fetch(self, jar: Jar, folder: Path) -> Path:
        """The downloaded file, somewhere under `folder`.

        Raises: OSError or RuntimeError when it cannot be had.
        """


class MavenSource:
    """The published repositories that jgo knows by itself, after the mirrors in the user's jgo settings."""

    def fetch(self, jar: Jar, folder: Path) -> Path:
        """See `JarSource`."""
        from jgo.config import GlobalSettings  # noqa: PLC0415 - half a second of imports, needed once per machine
        from jgo.maven import MavenContext  # noqa: PLC0415

        context = MavenContext(repo_cache=folder, timeout=30)
        context.remote_repos = {**GlobalSettings.load().repositories, **context.remote_repos}
        return context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()


def locked_jars() -> tuple[Jar, ...]:
    """The lock in the tree, in class path order."""
    return jars_in(files("enact.broker").joinpath("jars.sha256").read_text(encoding="utf-8"))


def jars_in(lock: str) -> tuple[Jar, ...]:
    """The jars that a lock's text names: a sum and coordinates on each line, `#` before a comment."""
    return tuple(_jar(line) for line in lock.splitlines() if line and not line.startswith("#"))


def _jar(line: str) -> Jar:
    sha256, coordinates = line.split()
    group, artifact, version = coordinates.split(":")
    return Jar(group, artifact, version, sha256)


def sha256_of(path: Path) -> str:
    """The sum of a file's bytes, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def kafka_jars(
    cache: Path, on_progress: Progress, *, source: JarSource | None = None, jars: Sequence[Jar] | None = None
) -> tuple[Path, ...]:
    """The verified class path, in the lock's order; downloads what is missing. Safe when several processes start at once.

    Raises: JarMismatchError if a file is not the locked one; JarsUnavailableError if one cannot be downloaded;
    an unusable cache folder is a JarsUnavailableError too.
    """
    wanted = locked_jars() if jars is None else tuple(jars)
    folder = cache / f"kafka-{KAFKA_VERSION}"
    paths = tuple(folder / jar.file_name for jar in wanted)
    if not all(path.exists() for path in paths):
        lock = FileLock(cache / "jars.lock")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock.acquire(on_wait=lambda: on_progress("Another start is downloading Apache Kafka: waiting for it."))
        except OSError as error:
            raise JarsUnavailableError(
                f"The cache folder {cache} cannot be used ({error}). Make it writable or set ENACT_CACHE_DIR to another folder."
            ) from error
        try:
            _download(wanted, folder, on_progress, source or MavenSource())
        finally:
            lock.release()
    for jar, path in zip(wanted, paths, strict=True):
        _verify(jar, path)
    return paths


def _download(jars: Sequence[Jar], folder: Path, on_progress: Progress, source: JarSource) -> None:
    """Bring what is missing, each file complete and verified before it gets its name."""
    incoming = folder / "incoming"
    shutil.rmtree(incoming, ignore_errors=True)
    missing = sum(not (folder / jar.file_name).exists() for jar in jars)
    if missing:
        on_progress(f"Downloading Apache Kafka {KAFKA_VERSION}: {missing} of {len(jars)} jars are missing (45 MB in all, once per user).")
    megabytes = 0.0
    for position, jar in enumerate(jars, start=1):
        if (folder / jar.file_name).exists():
            continue
        try:
            path = source.fetch(jar, incoming)
            megabytes += path.stat().st_size / 1e6
        except (OSError, RuntimeError) as error:
            raise JarsUnavailableError(_unavailable(jar, position, len(jars), folder, error)) from error
        _verify(jar, path)
        os.replace(path, folder / jar.file_name)  # noqa: PTH105 - one system call, atomic
        on_progress(f"  {position:2} of {len(jars)}  {jar.file_name}  ({megabytes:.1f} MB so far)")
    shutil.rmtree(incoming, ignore_errors=True)


def _verify(jar: Jar, path: Path) -> None:
    found = sha256_of(path)
    if found == jar.sha256:
        return
    aside = path.with_name(path.name + ".rejected")
    os.replace(path, aside)  # noqa: PTH105 - as above
    raise JarMismatchError(
        f"{jar.file_name} is not the file enact was tested with: its SHA-256 is {found}, expected {jar.sha256} ({jar}). "
        f"It was put aside as {aside} and is never run. Start again to download it afresh; if that gives the same, "
        f"something between you and the published jar changes files: do not use it, ask your network's administrator."
    )


def _unavailable(jar: Jar, position: int, count: int, folder: Path, error: Exception) -> str:
    return (
        f"Could not download {jar} ({position} of {count} jars of Apache Kafka {KAFKA_VERSION}): {type(error).__name__}: {error}\n"
        f"enact needs the network once to fetch its embedded broker. Do one of these:\n"
        f"  - connect this machine and start again: what is already there is kept;\n"
        f"  - name your mirror in the [repositories] section of jgo's settings file (~/.config/jgo.conf);\n"
        f"  - copy {folder} from a machine that has it (all sums are checked);\n"
        f"  - use a Kafka cluster instead: set ENACT_KAFKA__BOOTSTRAP_SERVERS."
    )
