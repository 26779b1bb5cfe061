"""State is a cache of the log: kept whole with its offset, thrown away when in doubt."""

from collections.abc import Callable
from pathlib import Path

import pytest

from enact.errors import StateLostError
from enact.kafka.state import PartitionState
from enact.kafka.transport import NextOffset


def opened(folder: Path) -> PartitionState:
    return PartitionState(folder / "3", 3)


def test_a_new_state_knows_nothing(tmp_path: Path) -> None:
    state = opened(tmp_path)

    assert (state.partition, state.applied, state.committed, state.get(b"k")) == (3, None, None, None)


def test_writes_are_seen_at_once_and_kept_only_by_persist(tmp_path: Path) -> None:
    state = opened(tmp_path)
    state.put(b"kept", b"1")
    state.put(b"gone", b"1")
    state.persist(NextOffset(5), NextOffset(2))
    state.delete(b"gone")
    state.put(b"late", b"1")
    assert (state.get(b"gone"), state.get(b"late")) == (None, b"1")

    state.close()
    again = opened(tmp_path)

    assert (again.applied, again.committed) == (5, 2)
    assert [again.get(key) for key in (b"kept", b"gone", b"late")] == [b"1", b"1", None]


def test_a_deletion_is_kept_by_persist(tmp_path: Path) -> None:
    state = opened(tmp_path)
    state.put(b"k", b"1")
    state.persist(NextOffset(1))
    state.delete(b"k")
    state.persist(NextOffset(2))
    state.close()

    assert opened(tmp_path).get(b"k") is None


def test_discard_forgets_what_was_not_kept(tmp_path: Path) -> None:
    state = opened(tmp_path)
    state.put(b"k", b"1")
    state.persist(NextOffset(1))
    state.put(b"k", b"2")

    state.discard()

    assert state.get(b"k") == b"1"


def test_the_remembered_commit_only_rises_and_takes_nothing_else_with_it(tmp_path: Path) -> None:
    state = opened(tmp_path)
    state.persist(NextOffset(5), NextOffset(4))
    state.put(b"waiting", b"1")

    state.remember_committed(NextOffset(5))
    state.remember_committed(NextOffset(3))
    state.close()
    state = opened(tmp_path)
    state.persist(NextOffset(6), NextOffset(4))

    assert (state.applied, state.committed, state.get(b"waiting")) == (6, 5, None)


def test_keys_come_in_order_from_where_one_asks_to_the_end_of_the_prefix(tmp_path: Path) -> None:
    state = opened(tmp_path)
    for key in (b"b2", b"a9", b"b1", b"c", b"b3"):
        state.put(key, b"")
    assert list(state.persisted_keys(b"b")) == [], "only what is kept"
    state.persist(NextOffset(1))

    assert list(state.persisted_keys(b"b")) == [b"b1", b"b2", b"b3"]
    assert list(state.persisted_keys(b"b", b"b2")) == [b"b2", b"b3"]
    assert list(state.persisted_keys(b"c")) == [b"c"]
    assert list(state.persisted_keys(b"z")) == []


def test_a_dropped_state_is_empty_and_usable_also_after_a_restart(tmp_path: Path) -> None:
    state = opened(tmp_path)
    state.put(b"k", b"1")
    state.persist(NextOffset(9), NextOffset(9))
    state.put(b"dirty", b"1")

    state.drop()
    assert (state.applied, state.committed, state.get(b"k"), state.get(b"dirty")) == (None, None, None, None)
    state.put(b"n", b"1")
    state.persist(NextOffset(1))
    state.close()

    again = opened(tmp_path)
    assert (again.applied, again.get(b"k"), again.get(b"n")) == (1, None, b"1")


def _damage_manifest(folder: Path) -> None:
    next((folder / "3").glob("MANIFEST-*")).write_bytes(b"x" * 100)


def _remove_current(folder: Path) -> None:
    (folder / "3" / "CURRENT").unlink()


def _damage_meta(folder: Path) -> None:
    state = opened(folder)
    state._db.put(b"\x00meta", b"\xff\xff not what we wrote")
    state.close()


@pytest.mark.parametrize("damage", [_damage_manifest, _remove_current, _damage_meta])
def test_a_doubtful_state_is_made_anew(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    state = opened(tmp_path)
    state.put(b"k", b"1")
    state.persist(NextOffset(7), NextOffset(7))
    state.close()
    damage(tmp_path)

    again = opened(tmp_path)

    assert (again.applied, again.committed, again.get(b"k")) == (None, None, None)
    again.persist(NextOffset(1))


def test_a_place_where_no_state_can_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "3").write_text("in the way")

    with pytest.raises(StateLostError, match="partition 3 cannot be made anew: look at the disk below ENACT_DATA_DIR"):
        opened(tmp_path)
