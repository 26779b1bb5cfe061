"""Which records are suspected after a crash, and when the suspicion ends."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from enact.kafka.crash_marker import CrashMarker, Span, spans_of
from enact.kafka.transport import InRecord, Offset, TopicPartition

IN, LOG = TopicPartition("in", 0), TopicPartition("log", 0)


def crash_with(folder: Path, spans: Mapping[TopicPartition, Span]) -> None:
    marker = CrashMarker(folder / "batch")
    marker.begin(spans)
    marker.close()


def restarted(folder: Path) -> CrashMarker:
    return CrashMarker(folder / "batch")


def test_spans_are_the_first_and_last_offset_of_each_partition() -> None:
    records = [InRecord(tp.topic, tp.partition, Offset(offset), 0, None, None) for tp, offset in ((IN, 4), (LOG, 9), (IN, 5), (IN, 8))]

    assert spans_of(records) == {IN: Span(4, 8), LOG: Span(9, 9)}
    assert spans_of([]) == {}


@pytest.mark.parametrize(("one", "other", "common"), [((1, 5), (4, 9), (4, 5)), ((1, 5), (5, 5), (5, 5)), ((1, 3), (4, 9), None)])
def test_what_two_spans_share(one: tuple[int, int], other: tuple[int, int], common: tuple[int, int] | None) -> None:
    assert Span(*one).meet(Span(*other)) == common


def test_a_first_start_suspects_nothing(tmp_path: Path) -> None:
    marker = restarted(tmp_path / "new" / "folder")

    assert (marker.suspected_singly(), marker.crashes(IN), marker.is_poison(IN, 0)) == ({}, 0, False)


def test_the_second_crash_makes_single_and_the_third_poison(tmp_path: Path) -> None:
    crash_with(tmp_path, {IN: Span(0, 99)})
    first = restarted(tmp_path)
    assert (first.crashes(IN), first.suspected_singly()) == (1, {})
    first.close()

    crash_with(tmp_path, {IN: Span(50, 120), LOG: Span(0, 3)})
    second = restarted(tmp_path)
    assert second.suspected_singly() == {IN: Span(50, 99)}, "only what was in hand both times"
    assert not second.is_poison(IN, 70)
    second.close()

    crash_with(tmp_path, {IN: Span(70, 70)})
    third = restarted(tmp_path)
    assert third.is_poison(IN, 70)
    assert not third.is_poison(IN, 71)
    assert not third.is_poison(LOG, 70)


def test_three_crashes_in_one_batch_are_not_enough_to_name_a_record(tmp_path: Path) -> None:
    for _ in range(3):
        crash_with(tmp_path, {IN: Span(0, 9)})

    marker = restarted(tmp_path)

    assert marker.crashes(IN) == 3
    assert not any(marker.is_poison(IN, offset) for offset in range(10))


def test_crashes_elsewhere_do_not_add_up(tmp_path: Path) -> None:
    for first in (0, 10, 20, 30):
        crash_with(tmp_path, {IN: Span(first, first)})

    assert restarted(tmp_path).crashes(IN) == 1


def test_batches_of_other_partitions_between_two_crashes_change_nothing(tmp_path: Path) -> None:
    crash_with(tmp_path, {IN: Span(5, 5)})
    between = restarted(tmp_path)
    between.begin({LOG: Span(0, 400)})
    between.rest()
    between.passed({LOG: Span(0, 400)})
    between.begin({IN: Span(5, 5)})
    between.close()

    assert restarted(tmp_path).crashes(IN) == 2


def test_an_end_with_nothing_in_hand_is_no_crash(tmp_path: Path) -> None:
    for _ in range(4):
        marker = restarted(tmp_path)
        marker.begin({IN: Span(5, 5)})
        marker.rest()
        marker.close()

    assert restarted(tmp_path).crashes(IN) == 0


def test_a_start_that_handles_nothing_is_not_counted_as_one_more_crash(tmp_path: Path) -> None:
    crash_with(tmp_path, {IN: Span(5, 5)})

    for _ in range(3):
        restarted(tmp_path).close()

    assert restarted(tmp_path).crashes(IN) == 1


def test_records_that_went_well_are_no_longer_suspected(tmp_path: Path) -> None:
    crash_with(tmp_path, {IN: Span(0, 9)})
    crash_with(tmp_path, {IN: Span(0, 9)})
    marker = restarted(tmp_path)

    marker.passed({IN: Span(0, 3), LOG: Span(0, 0)})
    assert marker.suspected_singly() == {IN: Span(4, 9)}
    marker.passed({IN: Span(4, 9)})
    assert marker.suspected_singly() == {}
    marker.begin({IN: Span(10, 10)})
    marker.rest()
    marker.close()

    assert restarted(tmp_path).crashes(IN) == 0


def test_a_file_of_many_partitions_is_read_whole_and_may_shrink(tmp_path: Path) -> None:
    many = {TopicPartition("a-long-topic-name-" * 4, number): Span(number, number + 500) for number in range(300)}
    crash_with(tmp_path, many)
    marker = restarted(tmp_path)
    assert all(marker.crashes(tp) == 1 for tp in many)

    marker.passed(many)
    marker.begin({IN: Span(1, 1)})
    marker.close()

    assert restarted(tmp_path).crashes(IN) == 1


@pytest.mark.parametrize("content", [b"", b"   ", b"{", b'{"in_hand": 3}', b"\xff\xfe"])
def test_a_file_that_says_nothing_readable_suspects_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "batch").write_bytes(content)

    assert restarted(tmp_path).suspected_singly() == {}
