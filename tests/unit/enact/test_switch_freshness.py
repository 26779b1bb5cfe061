"""The promise of freshness against a model: whatever order things happen in, a fresh view holds every stop older than two seconds."""

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from enact.clock import ManualClock
from enact.ids import key_of
from enact.kafka.local import LocalBroker
from enact.kafka.transport import OutRecord
from enact.records import Switch, SwitchMode, SwitchState
from enact.records.codec import encode
from enact.switches import FRESH_FOR_S, SwitchWatch
from tests.factories import NOW_MS

TOPIC = "switches"
TIE_S = 1e-6
"""What happens in one moment has no order."""

AGAIN, ANEW = ("read again from the beginning", 0), ("the log is made anew", 0)
_steps = st.sampled_from(
    [
        ("engage", 1),
        ("engage", 2),
        ("release", 1),
        ("probe", 0),
        ("probe", 1),
        ("read", 1),
        ("read", 99),
        ("advance", 1),
        ("advance", 9),
        ("advance", 15),
        AGAIN,
        ANEW,
    ]
)
"""Few and telling ones: most orders of these mean something."""

PROVEN = [("probe", 1), ("engage", 2), ("engage", 1), ("advance", 1), ("probe", 0), ("read", 99)]
"""Two stops that have been read and proven, behind something else."""

UNDER_WAY = [("probe", 0), ("engage", 2), ("advance", 1)]
"""A probe that was sent just before a stop."""


class Model:
    """Two processes on one log. `stopped` is what the log says now: engagement to the second it was acknowledged."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.stopped: dict[int, float] = {}
        self._reads = 0
        self._new_log()
        self._watches = [self._watch(slot) for slot in range(2)]

    def do(self, step: str, number: int) -> None:
        acts: dict[str, Callable[[int], None]] = {
            "engage": self._engage,
            "release": self._release,
            "probe": lambda slot: self._watches[slot].probe(),
            "read": self._read,
            "advance": lambda tenths: self.clock.advance(tenths / 10),
            "read again from the beginning": lambda _: self._rewind(),
            "the log is made anew": lambda _: self._new_log(),
        }
        acts[step](number)

    def missing(self) -> set[int]:
        """What a view that calls itself fresh lacks: stops acknowledged more than two seconds ago, or before its proof."""
        watch = self._watches[0]
        if not watch.is_fresh:
            return set()
        known = {engagement.engagement_id for engagement in watch.view.engagements}
        two_seconds_ago, proven_s = self.clock.boot_s() - FRESH_FOR_S, self.clock.boot_s() - watch.age_s
        due = {number for number, at_s in self.stopped.items() if at_s < max(two_seconds_ago, proven_s) - TIE_S}
        return {number for number in due if f"e-{number}" not in known}

    def _watch(self, slot: int) -> SwitchWatch:
        outer = self

        class Latest:
            """Writes to whatever log there is."""

            def send(self, record: OutRecord, *_: object) -> None:
                outer.broker.append(record)

        return SwitchWatch(topic=TOPIC, slot=f"invocation.{slot}", writer=Latest(), clock=self.clock)  # type: ignore[arg-type]

    def _new_log(self) -> None:
        self.broker = LocalBroker(self.clock)
        self.broker.create_topic(TOPIC, 1)
        self.stopped.clear()
        self._rewind()

    def _rewind(self) -> None:
        self._reads = 0

    def _write(self, number: int, state: SwitchState) -> None:
        switch = Switch(
            scope="global", engagement_id=f"e-{number}", state=state, mode=SwitchMode.HOLD, actor="kim", reason="test", at_ms=NOW_MS
        )
        self.broker.append(OutRecord(TOPIC, 0, key_of(switch.scope, switch.engagement_id), encode(switch)))

    def _engage(self, number: int) -> None:
        self._write(number, SwitchState.ENGAGED)
        self.stopped.setdefault(number, self.clock.boot_s())

    def _release(self, number: int) -> None:
        self._write(number, SwitchState.RELEASED)
        self.stopped.pop(number, None)

    def _read(self, count: int) -> None:
        for record in self.broker.records(TOPIC)[self._reads : self._reads + count]:
            self._watches[0].on_record(record)
            self._reads += 1


@settings(max_examples=400)
@given(prelude=st.sampled_from([[], PROVEN, UNDER_WAY]), steps=st.lists(_steps, max_size=10))
def test_a_fresh_view_holds_every_stop_that_was_acknowledged_two_seconds_ago(
    prelude: list[tuple[str, int]], steps: list[tuple[str, int]]
) -> None:
    """Each planted once and seen: freshness from the reading, a foreign probe, a view that is emptied, a proof in the middle of a log."""
    model = Model()

    for step, number in [*prelude, *steps]:
        model.do(step, number)

        assert model.missing() == set(), f"after {step}"


def test_the_model_sees_a_freshness_that_counts_from_the_reading() -> None:
    """The steps in which it matters, with the bug patched in: a test that cannot fail is a defect."""
    model = Model()
    watch = model._watches[0]
    real = watch._prove

    def prove_too_much(*arguments: object) -> None:
        real(*arguments)  # type: ignore[arg-type]
        watch._fresh_until_s = model.clock.boot_s() + FRESH_FOR_S

    watch._prove = prove_too_much  # type: ignore[assignment,method-assign]
    for step, number in (("probe", 0), ("advance", 1), ("engage", 1), ("advance", 15), ("read", 1), ("advance", 10)):
        model.do(step, number)

    assert model.missing() == {1}
