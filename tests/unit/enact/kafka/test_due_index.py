"""Due entries come in time order within a group, groups take turns, and entries live and die with the batch."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enact.kafka.due_index import DueEntry, DueIndex, _decode, _encode
from enact.kafka.state import PartitionState
from enact.kafka.transport import NextOffset

CLAIM, OTHER = b"c", b"d"


@pytest.fixture
def state(tmp_path: Path) -> PartitionState:
    return PartitionState(tmp_path / "0", 0)


def index_of(state: PartitionState, *entries: DueEntry) -> DueIndex:
    index = DueIndex(state)
    index.replace(frozenset(), frozenset(entries))
    state.persist(NextOffset(1))
    return index


def entry(due_ms: int, key: bytes = b"k", group: str = "", kind: bytes = CLAIM) -> DueEntry:
    return DueEntry(kind, group, due_ms, key)


def test_due_entries_come_earliest_first_and_stop_at_now(state: PartitionState) -> None:
    index = index_of(state, entry(300), entry(70_000), entry(5), entry(256), entry(255))

    assert [found.due_ms for found in index.due(CLAIM, 300)] == [5, 255, 256, 300]
    assert list(index.due(CLAIM, 4)) == []


def test_kinds_and_groups_are_apart_also_when_one_name_begins_with_another(state: PartitionState) -> None:
    index = index_of(
        state, entry(1, b"1", "acme"), entry(1, b"2", "acme|crm"), entry(1, b"3", "acm"), entry(1, b"4", "acme", OTHER), entry(1, b"5")
    )

    assert [found.key for found in index.due(CLAIM, 9, "acme")] == [b"1"]
    assert [found.key for found in index.due(OTHER, 9, "acme")] == [b"4"]
    assert [found.key for found in index.due(CLAIM, 9)] == [b"5"]


def test_groups_are_listed_once_each_from_beyond_the_last_one(state: PartitionState) -> None:
    index = index_of(state, *(entry(due_ms, b"k", group) for group in ("a", "ab", "b", "c|x") for due_ms in range(50)))

    assert index.groups(CLAIM) == ["a", "ab", "b", "c|x"]
    assert index.groups(CLAIM, limit=2) == ["a", "ab"]
    assert index.groups(CLAIM, after="ab") == ["b", "c|x"]
    assert index.groups(CLAIM, after="c|x") == []
    assert index.groups(OTHER) == []


def test_an_entry_is_replaced_with_the_batch_and_not_before(state: PartitionState) -> None:
    index = index_of(state, entry(1, b"old"), entry(1, b"stays"))

    index.replace(frozenset({entry(1, b"old"), entry(1, b"stays")}), frozenset({entry(2, b"new"), entry(1, b"stays")}))
    assert [found.key for found in index.entries(CLAIM)] == [b"old", b"stays"]
    state.persist(NextOffset(2))

    assert [found.key for found in index.entries(CLAIM)] == [b"stays", b"new"]


def test_what_was_due_before_time_began_is_due_at_once_and_can_be_removed(state: PartitionState) -> None:
    early = entry(-5)
    index = index_of(state, early)
    assert list(index.due(CLAIM, 0)) == [entry(0)]

    index.replace(frozenset({early}), frozenset())
    state.persist(NextOffset(2))

    assert list(index.entries(CLAIM)) == []


@given(
    st.sampled_from([b"c", b"\x01", b"\xff"]),
    st.text(alphabet=st.characters(exclude_characters="\x00", exclude_categories=["Cs"])),
    st.integers(0, 2**63),
    st.binary(),
)
def test_an_entry_survives_its_key(kind: bytes, group: str, due_ms: int, key: bytes) -> None:
    written = DueEntry(kind, group, due_ms, key)

    assert _decode(_encode(written)) == written


@given(st.lists(st.tuples(st.sampled_from(["", "a", "ab", "b"]), st.integers(0, 2**40))))
def test_keys_sort_as_group_then_time(pairs: list[tuple[str, int]]) -> None:
    keys = sorted(_encode(DueEntry(CLAIM, group, due_ms, b"")) for group, due_ms in pairs)

    assert [(found.group, found.due_ms) for found in map(_decode, keys)] == sorted(pairs)


def test_what_comes_after_a_look_that_found_nothing_is_found(state: PartitionState) -> None:
    index = index_of(state, entry(500))
    assert list(index.due(CLAIM, 100)) == []
    assert index.groups(OTHER) == []

    index.replace(frozenset(), frozenset({entry(50), entry(60, kind=OTHER, group="acme")}))
    state.persist(NextOffset(2))

    assert [found.due_ms for found in index.due(CLAIM, 100)] == [50]
    assert index.groups(OTHER) == ["acme"]
    assert [found.due_ms for found in index.due(OTHER, 100, "acme")] == [60]


def test_a_look_while_a_batch_waits_does_not_hide_what_the_batch_brings(state: PartitionState) -> None:
    index = index_of(state, entry(500))
    index.replace(frozenset(), frozenset({entry(50), entry(60, kind=OTHER, group="acme")}))

    assert list(index.due(CLAIM, 100)) == []
    assert index.groups(OTHER) == []
    state.persist(NextOffset(2))

    assert [found.due_ms for found in index.due(CLAIM, 100)] == [50]
    assert index.groups(OTHER) == ["acme"]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["", "a", "b"]), st.integers(0, 12), st.booleans()), max_size=30))
def test_floors_never_hide_anything(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, str, int, bool]]) -> None:
    state = PartitionState(tmp_path_factory.mktemp("floors"), 0)
    index, held = DueIndex(state), set[DueEntry]()

    for position, (due_ms, group, now_ms, is_kept) in enumerate(steps, start=1):
        new = entry(due_ms, str(position).encode(), group)
        gone = {min(held)} if held and position % 3 == 0 else set()
        index.replace(frozenset(gone), frozenset({new}))
        if is_kept:
            state.persist(NextOffset(position))
            held = (held - gone) | {new}
        else:
            list(index.due(CLAIM, now_ms, group))
            state.discard()

        assert set(index.due(CLAIM, now_ms, group)) == {one for one in held if one.group == group and one.due_ms <= now_ms}
        assert index.groups(CLAIM) == sorted({one.group for one in held})
    state.close()


def test_what_was_taken_is_not_walked_over_again(state: PartitionState, monkeypatch: pytest.MonkeyPatch) -> None:
    """A release of a hundred thousand leaves as many tombstones in front of the next one."""
    index = index_of(state, *(entry(due_ms) for due_ms in range(100, 110)))
    index.replace(frozenset(entry(due_ms) for due_ms in range(100, 105)), frozenset())
    state.persist(NextOffset(2))
    assert next(index.due(CLAIM, 200)).due_ms == 105
    starts: list[bytes | None] = []
    keys = state.persisted_keys

    def noted(prefix: bytes, start: bytes | None = None) -> Iterator[bytes]:
        starts.append(start)
        return keys(prefix, start)

    monkeypatch.setattr(state, "persisted_keys", noted)

    assert next(index.due(CLAIM, 200)).due_ms == 105

    assert [start is not None and start.endswith((105).to_bytes(8, "big")) for start in starts] == [True]
