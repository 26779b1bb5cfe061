"""Where a replay puts a group: never forward, never outside the log, and what is lost is told."""

import pytest

from cli.replay_plan import FromBeginning, FromOffsets, FromTimestamp, Move, Origin, ReplayRefusedError, plan
from enact.kafka.transport import NextOffset, TopicPartition
from tests.unit.cli.cluster import Cluster

GROUP = "enact.invocation"
CALLS, LOG = TopicPartition("enact.tool-calls.v1", 0), TopicPartition("enact.executions.v1", 0)


def cluster(*, begin: int = 10, end: int = 100, committed: int | None = 60) -> Cluster:
    made = Cluster(begins={CALLS: NextOffset(begin)}, ends={CALLS: NextOffset(end)})
    if committed is not None:
        made.committed[GROUP] = {CALLS: NextOffset(committed)}
    return made


def move(origin: Origin, found: Cluster) -> Move:
    (only,) = plan(origin, GROUP, [CALLS], found)
    return only


def test_from_the_beginning_is_what_the_log_still_holds() -> None:
    found = move(FromBeginning(), cluster())

    assert (found.target, found.again, found.lost, found.is_change) == (10, 50, 0, True)


def test_from_an_offset_reads_again_what_lies_between_it_and_the_committed_one() -> None:
    found = move(FromOffsets({0: 40}), cluster())

    assert (found.target, found.again) == (40, 20)


def test_only_the_named_partitions_are_moved() -> None:
    other = TopicPartition("enact.tool-calls.v1", 1)

    assert [one.partition for one in plan(FromOffsets({0: 40}), GROUP, [CALLS, other], cluster())] == [CALLS]


@pytest.mark.parametrize("offset", [9, 101])
def test_an_offset_outside_the_log_is_refused_with_what_the_log_holds(offset: int) -> None:
    with pytest.raises(ReplayRefusedError, match=f"holds the offsets 10 to 100, not {offset}"):
        move(FromOffsets({0: offset}), cluster())


def test_an_offset_that_would_pass_over_records_is_refused_with_their_number() -> None:
    with pytest.raises(ReplayRefusedError, match="15 records would never be read"):
        move(FromOffsets({0: 75}), cluster())


def test_a_group_that_stands_before_the_wanted_time_stays_where_it_is() -> None:
    late = cluster()
    late.first_after[CALLS] = NextOffset(80)

    found = move(FromTimestamp(1), late)

    assert (found.target, found.again, found.is_change) == (60, 0, False)


def test_from_a_time_is_the_first_record_since() -> None:
    since = cluster()
    since.first_after[CALLS] = NextOffset(25)

    assert move(FromTimestamp(1), since).target == 25


def test_a_group_below_the_log_s_start_is_moved_to_it_and_told_what_is_lost() -> None:
    found = move(FromBeginning(), cluster(committed=4))

    assert (found.target, found.lost, found.again) == (10, 6, 0)
    assert move(FromOffsets({0: 30}), cluster(committed=4)).target == 30


def test_a_group_without_an_offset_or_beyond_the_log_s_end_can_be_put_anywhere_in_it() -> None:
    assert move(FromOffsets({0: 100}), cluster(committed=None)).again == 0
    assert move(FromOffsets({0: 70}), cluster(committed=None)).again == 30
    assert move(FromBeginning(), cluster(committed=130)).again == 90
