"""Kill switches as one process sees them: what stops a call, and how long the sight may be trusted."""

import math
import threading

import pytest

from enact.clock import ManualClock
from enact.errors import DeliveryError
from enact.ids import key_of
from enact.kafka.local import LocalBroker, LocalWriter
from enact.kafka.transport import DeliveryReport, OutRecord, Writer
from enact.records import Switch, SwitchMode, SwitchState
from enact.records.codec import decode_switch_record, encode
from enact.records.control import Probe
from enact.switch_view import scopes_of
from enact.switches import FRESH_FOR_S, SwitchWatch
from enact.watchdog import MAX_SILENT_TICKS, ProgressWatchdog
from tests.factories import NOW_MS, in_record

TOPIC = "switches"
SCOPES = scopes_of("acme", "CREATE_CRM_TASK", "crm")


def make_switch(engagement_id: str = "e-1", state: SwitchState = SwitchState.ENGAGED) -> Switch:
    return Switch(scope="global", engagement_id=engagement_id, state=state, mode=SwitchMode.HOLD, actor="kim", reason="test", at_ms=NOW_MS)


def released(engagement_id: str = "e-1") -> Switch:
    return make_switch(engagement_id, SwitchState.RELEASED)


class World:
    """One watch on a topic in memory; nothing is read until `read`."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.broker = LocalBroker(self.clock)
        self.broker.create_topic(TOPIC, 1)
        self.proofs_s: list[float] = []
        self.watch = self.make_watch()
        self._read = 0

    def make_watch(self, writer: Writer | None = None) -> SwitchWatch:
        return SwitchWatch(
            topic=TOPIC, slot="invocation.0", writer=writer or self.broker.writer(), clock=self.clock, on_fresh=self.proofs_s.append
        )

    def write(self, switch: Switch) -> None:
        self.broker.append(OutRecord(TOPIC, 0, key_of(switch.scope, switch.engagement_id), encode(switch)))

    def read(self) -> None:
        for record in self.broker.records(TOPIC)[self._read :]:
            self.watch.on_record(record)
            self._read += 1

    @property
    def is_stopped(self) -> bool:
        return self.watch.view.stopped_by(SCOPES) is not None


@pytest.fixture
def world() -> World:
    return World()


def test_a_view_is_stale_until_a_probe_came_back(world: World) -> None:
    assert not world.watch.is_fresh
    assert world.watch.age_s == math.inf
    world.watch.probe()
    assert not world.watch.is_fresh

    world.read()

    assert world.watch.is_fresh


def test_freshness_counts_from_the_moment_before_the_probe_was_sent(world: World) -> None:
    """So a call never starts later than 2 s after an engage was acknowledged."""
    world.watch.probe()
    world.clock.advance(1.5)
    world.read()
    assert world.proofs_s == [1.5]
    assert world.watch.age_s == 1.5

    world.clock.advance(0.5)
    assert world.watch.is_fresh
    world.clock.advance(0.01)
    assert not world.watch.is_fresh


@pytest.mark.parametrize(("broker_ahead_s", "way_s", "clock_ahead_ms"), [(0, 0.4, 0), (5, 0.4, -4_600), (0.3, 0.4, 0), (-5, 0.4, 5_000)])
def test_a_probe_tells_how_far_this_clock_is_from_the_brokers(
    world: World, broker_ahead_s: float, way_s: float, clock_ahead_ms: int
) -> None:
    """Only what lies outside the time between sending and reading is a difference."""
    world.broker.clock = ManualClock(world.clock.now_ms + round(broker_ahead_s * 1000), world.clock.now_s)
    world.watch.probe()
    world.clock.advance(way_s)

    world.read()

    assert world.watch.clock_ahead_ms == clock_ahead_ms


def test_every_switch_acknowledged_before_the_probe_is_in_a_fresh_view(world: World) -> None:
    world.write(make_switch())
    world.watch.probe()

    world.read()

    assert world.watch.is_fresh
    assert world.is_stopped


def test_a_proof_that_comes_out_of_order_never_takes_freshness_away(world: World) -> None:
    world.watch.probe()
    world.clock.advance(1)
    world.watch.probe()
    first, second = world.broker.records(TOPIC)

    world.watch.on_record(second)
    world.watch.on_record(first)

    world.clock.advance(FRESH_FOR_S)
    assert world.watch.is_fresh


def test_a_probe_of_another_process_or_another_life_proves_nothing(world: World) -> None:
    stranger = world.make_watch()
    stranger.probe()

    world.read()

    assert not world.watch.is_fresh
    assert world.proofs_s == []


def test_a_probe_with_our_name_that_we_never_sent_proves_nothing(world: World) -> None:
    world.watch.probe()
    sent = decode_switch_record(world.broker.records(TOPIC)[0].value or b"")
    assert isinstance(sent, Probe)
    forged = Probe(slot=sent.slot, incarnation=sent.incarnation, nonce="forged", sent_ms=sent.sent_ms)

    world.watch.on_record(in_record(TOPIC, b"key", encode(forged)))

    assert not world.watch.is_fresh


def test_a_lost_probe_proves_nothing_and_the_next_one_does(world: World) -> None:
    world.broker.fail_next_deliveries(1)
    world.watch.probe()
    world.read()
    assert not world.watch.is_fresh

    world.watch.probe()
    world.read()

    assert world.watch.is_fresh


def test_the_watch_forgets_probes_that_can_prove_nothing_any_more(world: World) -> None:
    for _ in range(50):
        world.watch.probe()
        world.clock.advance(0.5)

    assert len(world.watch._sent) <= 5


def test_a_process_that_cannot_write_goes_stale_by_itself(world: World) -> None:
    world.watch.probe()
    world.read()

    world.clock.advance(FRESH_FOR_S + 0.1)

    assert not world.watch.is_fresh


def test_what_cannot_be_read_may_be_a_stop_and_holds_everything(world: World) -> None:
    world.watch.on_record(in_record(TOPIC, b"key", b"\xc3\x01rubbish", offset=7))

    engaged = world.watch.view.stopped_by(SCOPES)

    assert engaged is not None
    assert (engaged.scope, engaged.mode) == ("global", SwitchMode.HOLD)
    assert "offset 7" in engaged.reason


@pytest.mark.parametrize("cure", [None, encode(released())], ids=["tombstone", "written again"])
def test_an_unreadable_record_stops_until_its_key_says_something_else(world: World, cure: bytes | None) -> None:
    world.watch.on_record(in_record(TOPIC, b"key", b"{", offset=7))
    world.watch.on_record(in_record(TOPIC, b"other", None, offset=8))
    assert world.is_stopped

    world.watch.on_record(in_record(TOPIC, b"key", cure, offset=9))

    assert not world.is_stopped


def test_an_unreadable_probe_stops_nothing(world: World) -> None:
    world.watch.on_record(in_record(TOPIC, key_of("probe", "invocation.9"), b"\xc3\x01newer"))

    assert not world.is_stopped


def test_a_table_that_is_read_again_shows_the_old_view_until_the_new_one_is_proven_whole(world: World) -> None:
    """Planted bug: the view is emptied when the table begins anew, and what is stopped starts meanwhile."""
    world.write(make_switch())
    world.watch.probe()
    world.read()

    world.watch.on_record(in_record(TOPIC, key_of("probe", "other"), encode(a_probe()), offset=0))
    assert world.is_stopped

    world.watch.probe()
    world.watch.on_record(world.broker.records(TOPIC)[-1])
    assert not world.is_stopped, "the new log holds no stop, and that is proven"


def test_a_release_that_was_compacted_into_the_log_ends_its_stop_when_the_table_is_read_again(world: World) -> None:
    world.write(make_switch())
    world.watch.probe()
    world.read()
    world.write(released())
    world._read = 0

    world.read()
    assert world.is_stopped
    world.watch.probe()
    world.read()

    assert not world.is_stopped


def a_probe() -> Probe:
    return Probe(slot="other", incarnation="other", nonce="other", sent_ms=1)


def test_the_thread_probes_until_it_is_stopped_and_survives_a_refusal(world: World) -> None:
    """Real time: the first probes come every 0.1 s."""
    refused, probed = threading.Event(), threading.Event()

    class RefusingWriter:
        def send(self, record: OutRecord, on_delivery: DeliveryReport | None = None) -> None:
            if not refused.is_set():
                refused.set()
                raise DeliveryError
            if on_delivery is not None:
                on_delivery(None, 0, 0)
            probed.set()

        def poll(self) -> None:
            """Nothing to serve."""

        def flush(self, timeout_s: float, on_wait: object = None) -> None:
            """Nothing to wait for."""

        def close(self) -> None:
            """Nothing to close."""

    watch = world.make_watch(RefusingWriter())

    watch.start()

    assert probed.wait(10)
    watch.stop()
    watch._thread.join(10)
    assert not watch._thread.is_alive()


def test_a_process_that_cannot_probe_any_more_is_ended_by_its_watchdog(world: World) -> None:
    stuck, go_on, ended = threading.Event(), threading.Event(), list[int]()

    class Sticking(LocalWriter):
        def send(self, record: OutRecord, on_delivery: DeliveryReport | None = None) -> None:
            stuck.set()
            go_on.wait(10)

    watch = world.make_watch(Sticking(world.broker))
    watchdog = ProgressWatchdog(lambda: watch.beats, end=ended.append)
    watch.start()
    assert stuck.wait(10)
    for _ in range(MAX_SILENT_TICKS + 1):
        watchdog.tick()
    watch.stop()
    go_on.set()
    watch._thread.join(10)

    assert ended[:1] == [70]
