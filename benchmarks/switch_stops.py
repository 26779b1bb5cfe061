"""Engage a tenant's switch under load, many times: when the last matching call arrived, and whether anybody else noticed.

python -m benchmarks.switch_stops --rounds 50 --rate 200

Starts enact with the practice world on a broker of its own, in a folder that is removed. The clocks are one machine's: the
practice world's for calls, the broker's for the append of the stop, this process's for its acknowledgement. It ends with 1 if a call
arrived later than two seconds after the append, if after the last release not every execution SUCCEEDED by its first attempt with one
receipt, or if the machine was too busy to call anything before each stop.
"""

import argparse
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace

from benchmarks.arithmetic import percentile
from benchmarks.load import intent
from benchmarks.machine import provenance
from benchmarks.program import tell
from benchmarks.stops import Stop, Traffic, last_calls, rate_while_stopped
from cli.platform import Platform
from cli.platform_options import PlatformOptions
from connectors.sandbox.admin_client import SandboxAdmin
from enact.clock import SystemClock
from enact.command_door import CommandDoor, CommandTopics
from enact.ids import key_of
from enact.kafka.client import KafkaWriter
from enact.kafka.log_reader import LogReader
from enact.kafka.transport import NextOffset, OutRecord, TopicPartition
from enact.publishing import WireFormat, intent_record
from enact.reading import read_between
from enact.records import ActionOutcome, ApprovedIntent, Status
from enact.records.codec import decode
from enact.settings import KernelSettings, load
from enact.switch_commands import SwitchCommands
from topology.stages import RUNNING_STAGES

BOUND_MS: Final = 2_000
STOPPED: Final = "acme"
TENANTS: Final = (STOPPED, "globex", "initech", "umbrella")
SETTLE_MS: Final = 500
KEPT: Final = "kept"
DONE_S: Final = 300.0
_CLOCK = SystemClock()


class Run:
    """A running platform and one traffic through it."""

    def __init__(self, folder: Path, rate: float) -> None:
        self._options = PlatformOptions(has_sandbox=True, has_free_ports=True, tenants=TENANTS, stages=RUNNING_STAGES)
        self.platform = Platform(load(KernelSettings, {"ENACT_DATA_DIR": str(folder)}), self._options)
        self._rate = rate

    @contextmanager
    def traffic(self) -> Iterator[Traffic]:
        """Published while inside, all tenants in turn."""
        topic, now_s = self.platform.topic("intents.approved"), int(time.time())

        def make(number: int) -> tuple[ApprovedIntent, OutRecord]:
            one = replace(intent(number, "stops", now_s), tenant_id=TENANTS[number % len(TENANTS)])
            record = intent_record(
                one,
                topic=topic,
                partition_count=self._options.partitions,
                source="bench",
                now_ms=_CLOCK.wall_ms(),
                wire_format=WireFormat.AVRO,
            )
            return one, record

        with closing(KafkaWriter(self.platform.kafka)) as writer:
            running = Traffic(writer, self._rate, make)
            running.start()
            try:
                yield running
            finally:
                running.stop()

    @contextmanager
    def switches(self) -> Iterator[SwitchCommands]:
        """Commands of somebody who keeps the door open."""
        names = {short: self.platform.topic(short) for short in ("ledger", "executions", "switches", "registry")}
        with closing(KafkaWriter(self.platform.kafka)) as writer:
            yield SwitchCommands(
                CommandDoor(
                    writer=writer,
                    open_reader=lambda: LogReader(self.platform.kafka),
                    topics=CommandTopics(**names),
                    clock=_CLOCK,
                    actor="bench",
                )
            )

    def appended_ms(self) -> dict[bytes | None, int]:
        """When each key of the switches topic was first appended, by the broker's clock."""
        found: dict[bytes | None, int] = {}
        for key, _, at_ms in self._records("switches", 1):
            found.setdefault(key, at_ms)
        return found

    def outcomes(self) -> dict[tuple[str, str], ActionOutcome]:
        """The outcome that counts, of each execution."""
        best: dict[tuple[str, str], ActionOutcome] = {}
        for _, value, _ in self._records("outcomes", self._options.partitions):
            outcome = decode(ActionOutcome, value)
            key = (outcome.tenant_id, outcome.action_intent_id)
            if key not in best or best[key].version < outcome.version:
                best[key] = outcome
        return best

    def receipts(self) -> list[dict[str, Any]]:
        """Every write that reached the practice world."""
        return SandboxAdmin(str(self.platform.sandbox_url)).receipts(kind="write")

    def _records(self, short: str, partition_count: int) -> Iterator[tuple[bytes | None, bytes, int]]:
        partitions = [TopicPartition(self.platform.topic(short), number) for number in range(partition_count)]
        with closing(LogReader(self.platform.kafka)) as reader:
            begins, ends = reader.begin_offsets(partitions), reader.end_offsets(partitions)
            ranges = {one: (NextOffset(begins[one]), NextOffset(ends[one])) for one in partitions}
            for record in read_between(reader, ranges, clock=_CLOCK, timeout_s=120.0):
                if record.value is not None:
                    yield record.key, record.value, record.timestamp_ms


def stop_again_and_again(run: Run, *, rounds: int, held_s: float, pause_s: float) -> list[Stop]:
    """Engage, wait, release, wait, so many times; what each took."""
    engaged: list[tuple[bytes, int, int, int]] = []
    with run.switches() as switches:
        for number in range(rounds):
            asked_ms = _CLOCK.wall_ms()
            switch = switches.engage(f"tenant:{STOPPED}", reason="the benchmark stops it")
            acknowledged_ms = _CLOCK.wall_ms()
            time.sleep(held_s)
            released_ms = _CLOCK.wall_ms()
            switches.release(switch.scope, reason="seen", engagement_id=switch.engagement_id)
            engaged.append((key_of(switch.scope, switch.engagement_id), asked_ms, acknowledged_ms, released_ms))
            tell(f"stop {number + 1} of {rounds}: acknowledged after {acknowledged_ms - asked_ms} ms")
            time.sleep(pause_s)
    appended = run.appended_ms()
    return [Stop(asked, appended[key], acknowledged, released) for key, asked, acknowledged, released in engaged]


def wait_for_all(run: Run, published: Sequence[ApprovedIntent]) -> dict[tuple[str, str], ActionOutcome]:
    """Every outcome there is when all succeeded, or when time is up."""
    deadline_s = _CLOCK.boot_s() + DONE_S
    while True:
        outcomes = run.outcomes()
        done = sum(outcome.status is Status.SUCCEEDED for outcome in outcomes.values())
        if done >= len(published) or _CLOCK.boot_s() > deadline_s:
            return outcomes
        tell(f"{done} of {len(published)} succeeded")
        time.sleep(2.0)


def report(run: Run, stops: Sequence[Stop], published: Sequence[ApprovedIntent], *, drained_s: float) -> str:
    """Print what was seen; `KEPT` if the bound held and nothing was lost, repeated or counted as an attempt, else what is wrong."""
    outcomes, receipts = wait_for_all(run, published), run.receipts()
    calls = {tenant: [receipt["at_ms"] for receipt in receipts if receipt["tenant"] == tenant] for tenant in TENANTS}
    found = last_calls(stops, calls[STOPPED])
    others = rate_while_stopped(stops, [at for tenant in TENANTS[1:] for at in calls[tenant]], settle_ms=SETTLE_MS)
    statuses = Counter(outcome.status.value for outcome in outcomes.values())
    attempts = Counter(outcome.attempt_count for outcome in outcomes.values())
    tell(f"machine: {provenance()['machine']}")
    for name, values in (("append", sorted(found.after_append_ms)), ("acknowledgement", sorted(found.after_acknowledgement_ms))):
        if values:
            shares = ", ".join(f"p{round(share * 100)} {percentile(values, share)} ms" for share in (0.5, 0.9, 0.99))
            tell(f"last call after the {name} of the stop, {len(values)} of {len(stops)} stops: {shares}, max {values[-1]} ms")
    tell(f"others while it was stopped: {others:.3f} of their rate")
    tell(f"published {len(published)}, statuses {dict(statuses)}, attempts {dict(attempts)}, receipts {len(receipts)}, {drained_s:.1f} s")
    if max(found.after_append_ms, default=0) > BOUND_MS:
        return "NOT kept: a call came too late"
    if statuses != {"SUCCEEDED": len(published)} or set(attempts) != {1} or len(receipts) != len(published):
        return "NOT kept: what was published did not all succeed by its first attempt with one receipt"
    if len(found.after_append_ms) < len(stops):
        return "not shown: before some stops nothing was called, so they stopped nothing; give the machine less to do"
    return KEPT


def main() -> int:
    """0 if every promise was kept."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.switch_stops", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--rate", type=float, default=200.0, help="intents per second, a quarter of them the stopped tenant's")
    parser.add_argument("--held", type=float, default=2.5, help="seconds from the acknowledgement to the release")
    parser.add_argument("--pause", type=float, default=1.0, help="seconds from the release to the next stop")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="enact-stops-", ignore_cleanup_errors=True) as folder:
        run = Run(Path(folder), options.rate)
        with run.platform as platform, _tended(platform):
            with run.traffic() as running:
                time.sleep(5.0)
                stops = stop_again_and_again(run, rounds=options.rounds, held_s=options.held, pause_s=options.pause)
            ended_s = _CLOCK.boot_s()
            wait_for_all(run, running.published)
            verdict = report(run, stops, running.published, drained_s=_CLOCK.boot_s() - ended_s)
    tell(verdict)
    return 0 if verdict == KEPT else 1


@contextmanager
def _tended(platform: Platform) -> Iterator[None]:
    """Look after the processes, as `enact up` does, while inside."""
    is_over = threading.Event()

    def tend() -> None:
        while not is_over.wait(0.1):
            if platform.supervisor is not None:
                platform.supervisor.tick()

    thread = threading.Thread(target=tend, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


if __name__ == "__main__":
    sys.exit(main())
