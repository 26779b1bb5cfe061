"""The Java command and its start cache: small by default, and a cache that is never half written."""

import os
from pathlib import Path

from enact.broker.java import BENCHMARK, SMALL, StartCache, java_command

JARS = [Path("/jars/a.jar"), Path("/jars/b.jar")]


def test_the_default_is_small_and_quick_to_start_and_the_benchmark_gets_the_full_compiler() -> None:
    small, large = java_command(SMALL, JARS), java_command(BENCHMARK, JARS)

    assert small[0].endswith("/bin/java")
    assert {"-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"} <= set(small)
    assert small[-2:] == ["-cp", "/jars/a.jar:/jars/b.jar"]
    assert "-Xmx512m" in large
    assert "-XX:TieredStopAtLevel=1" not in large


def test_a_recorded_cache_gets_its_name_only_after_an_orderly_end(tmp_path: Path) -> None:
    cache = StartCache(tmp_path, ["java", "-Xmx256m"])
    (option,) = cache.record()
    draft = Path(option.removeprefix("-XX:AOTCacheOutput="))
    draft.write_bytes(b"cache")

    before = cache.exists
    cache.keep()

    assert not before
    assert cache.path.read_bytes() == b"cache"
    assert cache.use()[0] == f"-XX:AOTCache={cache.path}"
    assert list(tmp_path.iterdir()) == [cache.path]


def test_a_half_written_cache_is_thrown_away(tmp_path: Path) -> None:
    cache = StartCache(tmp_path, ["java"])
    draft = Path(cache.record()[0].removeprefix("-XX:AOTCacheOutput="))
    draft.write_bytes(b"half")
    draft.with_name(draft.name + ".config").write_bytes(b"half")

    cache.discard()
    cache.keep()

    assert list(tmp_path.iterdir()) == []


def test_drafts_of_killed_runs_are_swept_after_a_day_and_fresh_ones_of_others_stay(tmp_path: Path) -> None:
    old, fresh = tmp_path / "start-x.1.draft", tmp_path / "start-x.2.draft"
    old.touch()
    fresh.touch()
    os.utime(old, (0, 0))

    StartCache(tmp_path, ["java"]).record()

    assert list(tmp_path.iterdir()) == [fresh]


def test_another_command_has_another_cache(tmp_path: Path) -> None:
    assert StartCache(tmp_path, ["java", "-Xmx256m"]).path != StartCache(tmp_path, ["java", "-Xmx512m"]).path
