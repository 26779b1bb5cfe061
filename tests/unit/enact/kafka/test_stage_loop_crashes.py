"""A crash at every boundary of the loop loses nothing and sends nothing wrong; every wrong order, planted, is seen."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from enact.failpoints import LOOP, Failpoint, hooked
from enact.kafka.crash_marker import Span, spans_of
from enact.kafka.stage import Effect, StateView
from enact.kafka.stage_loop import StageLoop
from enact.kafka.transport import InRecord, NextOffset, TopicPartition
from tests.unit.enact.kafka.loop_rig import (
    BAD,
    LOG,
    WAVES,
    Killed,
    Rig,
    ToyStage,
    distinct,
    emission,
    kill_at,
    sent,
)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def play(rig: Rig, hook: Callable[[Failpoint], None], *, stage: type[ToyStage] = ToyStage, loop: type[StageLoop] = StageLoop) -> None:
    """A whole history: three waves, a rebalance, an orderly end. Whenever the process dies, the next one goes on."""
    waves = list(WAVES)
    is_moved = False
    with hooked(hook):
        while True:
            life = rig.life(stage=stage(), loop=loop, is_started=False)
            try:
                life.loop.start()
                while waves:
                    life.turn_until_idle()
                    rig.publish(*waves.pop(0))
                life.turn_until_idle()
                if not is_moved:
                    is_moved = True
                    everything = sorted(life.reader.owned)
                    life.reader.revoke(everything)
                    life.reader.give(everything)
                    life.turn_until_idle()
                life.stop()
                return
            except Killed:
                life.kill()


class CrashAt:
    """Ends the process when the boundary with this number is passed."""

    def __init__(self, *numbers: int) -> None:
        self.numbers = numbers
        self.passed: list[Failpoint] = []

    def __call__(self, failpoint: Failpoint) -> None:
        self.passed.append(failpoint)
        if len(self.passed) - 1 in self.numbers:
            raise Killed


def faults_of_crashes(folder: Path, *, loop: type[StageLoop] = StageLoop, only: Failpoint | None = None) -> Iterator[str]:
    """Every history with one crash, at each boundary (of that name; of idle turns the first) in turn: what was wrong at its end."""
    without = CrashAt()
    rig = Rig(folder / "none")
    play(rig, without, loop=loop)
    yield from rig.faults()
    for number, failpoint in enumerate(without.passed):
        is_idle = failpoint is Failpoint.AFTER_READ and without.passed[number - 1 : number] == [failpoint]
        if is_idle or only not in {None, failpoint}:
            continue
        rig = Rig(folder / str(number))
        play(rig, CrashAt(number), loop=loop)
        yield from (f"crash {number} at {failpoint.value}: {fault}" for fault in rig.faults())


def test_a_crash_at_any_boundary_loses_nothing_and_sends_nothing_that_the_log_did_not_decide(tmp_path: Path) -> None:
    assert list(faults_of_crashes(tmp_path)) == []


def test_the_crashes_are_at_every_boundary_that_the_loop_has(rig: Rig) -> None:
    crash = CrashAt()

    play(rig, crash)

    assert set(crash.passed) == LOOP - {Failpoint.AFTER_REWIND}


def test_a_second_crash_while_recovering_from_the_first_changes_nothing(tmp_path: Path) -> None:
    without = CrashAt()
    play(Rig(tmp_path / "none"), without)

    found = []
    for number in range(0, len(without.passed), 7):
        rig = Rig(tmp_path / str(number), is_buffering=number % 2 == 0)
        play(rig, CrashAt(number, number + 1, number + 6))
        found += rig.faults()

    assert found == []


def test_what_was_sent_before_a_crash_and_arrived_all_the_same_is_only_repeated(tmp_path: Path) -> None:
    rig = Rig(tmp_path, is_buffering=False)
    rig.publish(*WAVES[0])
    life = rig.life()

    with hooked(kill_at(Failpoint.BEFORE_EMISSION_FLUSH)), pytest.raises(Killed):
        life.turn_until_idle()
    life.kill()
    assert rig.logged() == [(b"a", b"1"), (b"b", b"1"), (b"a", b"2")]
    rig.life().turn_until_idle()

    assert rig.faults() == []
    assert distinct(rig.emitted()) == distinct([emission(b"a", b"1"), emission(b"b", b"1")])


class OffsetsBeforeAcknowledgement(StageLoop):
    """Planted: offsets move before the effects are acknowledged."""

    def _flush(self) -> None:
        batch = self._marker_spans
        self._offsets.move({tp: NextOffset(span.last + 1) for tp, span in batch.items()})
        self._offsets._last_commit_s = 0.0
        self._offsets.commit_if_due()
        super()._flush()

    def _handle(self, records: Sequence[InRecord]) -> None:
        self._marker_spans: Mapping[TopicPartition, Span] = spans_of(records)
        super()._handle(records)


class StateBeforeAcknowledgement(OffsetsBeforeAcknowledgement):
    """Planted: state is kept before the effects are acknowledged."""

    def _flush(self) -> None:
        for tp, span in self._marker_spans.items():
            if tp.topic == LOG:
                self._assignment.owned[tp.partition].state.persist(NextOffset(span.last + 1))
        StageLoop._flush(self)


class LettersNotAwaited(StageLoop):
    """Planted: dead letters are sent and forgotten."""

    def _write_letters(self) -> None:
        for letter in self._letters:
            self._writer.send(letter.record, lambda *_: None)
        self._letters.clear()


class EmitsAtIntake(ToyStage):
    """Planted: what follows from a decision is sent when it is made, not when it is read back."""

    def decide(self, record: InRecord, state: StateView | None) -> Sequence[Effect]:
        return [*super().decide(record, state), sent(record)]

    def fold(self, record: InRecord, state: StateView) -> Sequence[Effect]:
        super().fold(record, state)
        return []


class DropsByOffset(ToyStage):
    """Planted: a repeat is known by where it was read, not by what it is."""

    def fold(self, record: InRecord, state: StateView) -> Sequence[Effect]:
        place = b"%d" % record.offset
        if state.get(place) is not None:
            return []
        state.put(place, b"")
        state.put(record.key or b"", record.value or b"")
        return [sent(record)]


@pytest.mark.parametrize("loop", [OffsetsBeforeAcknowledgement, StateBeforeAcknowledgement])
def test_planted_what_is_kept_or_committed_before_the_acknowledgement_loses_emissions(tmp_path: Path, loop: type[StageLoop]) -> None:
    found = faults_of_crashes(tmp_path, loop=loop, only=Failpoint.BEFORE_EMISSION_FLUSH)

    assert any("missing emission" in fault for fault in found)


@pytest.mark.parametrize("stage", [EmitsAtIntake, DropsByOffset])
def test_planted_an_emission_that_is_not_a_function_of_the_log_is_seen(rig: Rig, stage: type[ToyStage]) -> None:
    play(rig, CrashAt(), stage=stage)

    assert any("wrong emission" in fault for fault in rig.faults())


def test_planted_a_dead_letter_that_nobody_waits_for_is_lost(rig: Rig) -> None:
    rig.publish((b"bad", BAD))
    life = rig.life(loop=LettersNotAwaited)
    rig.broker.fail_next_deliveries(1)

    life.turn_until_idle()

    assert rig.faults() == ["b'bad' has no dead letter"]
