"""The jars: downloaded once, never used without the right sum, and every refusal says what to do."""

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from enact.broker.errors import JarMismatchError, JarsUnavailableError
from enact.broker.file_lock import FileLock
from enact.broker.jars import KAFKA_VERSION, Jar, kafka_jars, locked_jars

CONTENT = {"one": b"first jar", "two": b"second jar"}


def jar(name: str) -> Jar:
    return Jar("org.example", name, "1.0", hashlib.sha256(CONTENT[name]).hexdigest())


JARS = [jar("one"), jar("two")]


class Source:
    """A repository in memory."""

    def __init__(self, content: dict[str, bytes], on_fetch: Callable[[], None] = lambda: None) -> None:
        self.content = content
        self.on_fetch = on_fetch
        self.fetched: list[str] = []

    def fetch(self, jar: Jar, folder: Path) -> Path:
        self.on_fetch()
        self.fetched.append(jar.artifact)
        if jar.artifact not in self.content:
            raise ConnectionError("Network is unreachable")
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "org" / jar.file_name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(self.content[jar.artifact])
        return path


def folder_of(cache: Path) -> Path:
    return cache / f"kafka-{KAFKA_VERSION}"


def test_the_lock_in_the_tree_names_every_jar_of_the_tested_version_once() -> None:
    jars = locked_jars()

    assert len(jars) == len({one.file_name for one in jars}) == 46
    assert all(len(one.sha256) == 64 for one in jars)
    assert {str(one) for one in jars} >= {f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}", "org.slf4j:slf4j-simple:1.7.36"}


def test_missing_jars_are_downloaded_with_progress_and_the_second_start_downloads_nothing(tmp_path: Path) -> None:
    lines: list[str] = []
    first, second = Source(CONTENT), Source({})

    paths = kafka_jars(tmp_path, lines.append, source=first, jars=JARS)
    again = kafka_jars(tmp_path, lines.append, source=second, jars=JARS)

    assert [path.read_bytes() for path in paths] == list(CONTENT.values())
    assert again == paths
    assert second.fetched == []
    assert "2 of 2 jars are missing" in lines[0]
    assert lines[2].startswith("   2 of 2  two-1.0.jar")
    assert len(lines) == 3


def test_a_changed_download_is_put_aside_and_named(tmp_path: Path) -> None:
    with pytest.raises(JarMismatchError, match=r"two-1\.0\.jar is not the file.*Start again") as refused:
        kafka_jars(tmp_path, lambda _: None, source=Source({**CONTENT, "two": b"tampered"}), jars=JARS)

    assert JARS[1].sha256 in refused.value.message
    assert not (folder_of(tmp_path) / "two-1.0.jar").exists()


def test_a_jar_that_changed_on_disk_refuses_the_start_and_the_next_start_mends_it(tmp_path: Path) -> None:
    paths = kafka_jars(tmp_path, lambda _: None, source=Source(CONTENT), jars=JARS)
    paths[0].write_bytes(b"bit rot")

    with pytest.raises(JarMismatchError, match=r"one-1\.0\.jar"):
        kafka_jars(tmp_path, lambda _: None, source=Source(CONTENT), jars=JARS)
    source = Source(CONTENT)
    mended = kafka_jars(tmp_path, lambda _: None, source=source, jars=JARS)

    assert mended[0].read_bytes() == CONTENT["one"]
    assert source.fetched == ["one"]
    assert (folder_of(tmp_path) / "one-1.0.jar.rejected").read_bytes() == b"bit rot"


def test_without_network_it_says_what_was_tried_and_what_to_do_and_keeps_what_came(tmp_path: Path) -> None:
    with pytest.raises(JarsUnavailableError) as refused:
        kafka_jars(tmp_path, lambda _: None, source=Source({"one": CONTENT["one"]}), jars=JARS)

    message = refused.value.message
    assert "org.example:two:1.0 (2 of 2 jars" in message
    assert "Network is unreachable" in message
    assert "ENACT_KAFKA__BOOTSTRAP_SERVERS" in message
    assert str(folder_of(tmp_path)) in message
    assert (folder_of(tmp_path) / "one-1.0.jar").exists()


def test_a_half_written_download_of_a_killed_start_is_not_used(tmp_path: Path) -> None:
    left = folder_of(tmp_path) / "incoming" / "org" / "one-1.0.jar"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"fir")

    paths = kafka_jars(tmp_path, lambda _: None, source=Source(CONTENT), jars=JARS)

    assert paths[0].read_bytes() == CONTENT["one"]


def test_two_first_starts_at_once_download_everything_once(tmp_path: Path) -> None:
    lines: list[str] = []
    other_waits = threading.Event()
    slow = Source(CONTENT, on_fetch=lambda: None if other_waits.wait(10) else pytest.fail("nobody waited"))
    idle = Source({})
    first = threading.Thread(target=kafka_jars, args=(tmp_path, lambda _: None), kwargs={"source": slow, "jars": JARS})
    first.start()
    while not _is_locked(tmp_path / "jars.lock"):
        pass

    def heard(line: str) -> None:
        lines.append(line)
        other_waits.set()

    paths = kafka_jars(tmp_path, heard, source=idle, jars=JARS)
    first.join(10)

    assert lines == ["Another start is downloading Apache Kafka: waiting for it."]
    assert idle.fetched == []
    assert all(path.exists() for path in paths)


def _is_locked(path: Path) -> bool:
    lock = FileLock(path)
    is_free = lock.try_acquire()
    lock.release()
    return not is_free


def test_a_cache_folder_that_cannot_be_made_names_its_variable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(JarsUnavailableError, match="ENACT_CACHE_DIR"):
        kafka_jars(tmp_path / "file" / "cache", lambda _: None, source=Source(CONTENT), jars=JARS)
