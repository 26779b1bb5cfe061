"""Does to a running enact what the plan says, and notes each fault with when it began and ended."""

import os
import random
import signal
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

from enact.errors import EnactError
from enact.records import ApprovedIntent
from tests.chaos.cluster import ChaosWorld, Lane
from tests.chaos.forging import forge
from tests.chaos.journal import Journal, now_ms
from tests.chaos.people import People
from tests.chaos.plan import Act
from tests.chaos.processes import all_processes


class Stage:
    """Where the acts are played: one world on its lane. `published` is what may be cancelled."""

    def __init__(self, lane: Lane, world: ChaosWorld, journal: Journal, people: People, published: Sequence[ApprovedIntent]) -> None:
        self._lane, self._world, self._journal, self._people = lane, world, journal, people
        self._published = published
        self._broker = threading.Lock()
        self._stopped: set[int] = set()
        self._is_healed = threading.Event()
        self._pool = ThreadPoolExecutor(max_workers=24, thread_name_prefix="act")
        self.failed: list[str] = []

    def play(self, acts: Sequence[Act]) -> None:
        """Start every act at its time; returns when the last has started."""
        began_s = time.monotonic()
        for act in acts:
            self._is_healed.wait(max(0.0, act.at_s - (time.monotonic() - began_s)))
            self._pool.submit(self._one, act).add_done_callback(self._over)

    def heal(self) -> None:
        """End every fault, and wait until what was begun has ended: everything is as it should be when this returns.

        Raises: EnactError if the stops that are open cannot be released.
        """
        self._is_healed.set()
        self._lane.proxy.heal()
        self._pool.shutdown(wait=True)
        for pid in self._stopped:
            _send(pid, signal.SIGCONT)
        for name in all_processes(self._world):
            self._world.clock(name).set_offset(0)
        self._lane.proxy.heal()
        if not self._lane.broker.is_running:
            self._lane.kill_broker(0)
        deadline_s = time.monotonic() + 30
        while not self._world.sandbox.is_ready() and time.monotonic() < deadline_s:
            time.sleep(0.1)
        self._world.sandbox.clear_modes()
        self._people.release_all()

    def _over(self, done: Future[None]) -> None:
        error = done.exception()
        if error is not None:
            self.failed.append(f"{type(error).__name__}: {error}")

    def _one(self, act: Act) -> None:
        from_ms = now_ms()
        match act.kind:
            case "engage":
                self._engage(act)
                return
            case "cancel":
                self._cancel(act)
                return
            case "kill" | "world_kill":
                self._signal(act, signal.SIGKILL)
            case "stop" | "world_freeze":
                self._freeze(act)
            case "clock":
                self._move_the_clock(act)
            case "proxy" if act.fault is not None:
                self._lane.proxy.add(act.fault)
                self._wait(act.for_s)
            case "world":
                self._misbehave(act)
            case "expire_tokens":
                self._expire_tokens()
            case "forge":
                forge(self._world, random.Random(act.detail["choice"]), 3)
            case "broker_kill":
                with self._broker:
                    from_ms, to_ms = self._lane.kill_broker(act.for_s)
                self._journal.fault("broker_kill", "broker", from_ms=from_ms, to_ms=to_ms)
                return
            case "broker_stop":
                with self._broker:
                    from_ms, to_ms = self._lane.freeze_broker(act.for_s)
                self._journal.fault("broker_stop", "broker", from_ms=from_ms, to_ms=to_ms)
                return
            case _:
                raise ValueError(f"nobody knows how to {act.kind}")
        self._journal.fault(act.kind, act.target, from_ms=from_ms, to_ms=now_ms(), **act.detail)

    def _pid(self, act: Act) -> int | None:
        name = "sandbox.0" if act.kind.startswith("world") else act.target
        return all_processes(self._world).get(name)

    def _signal(self, act: Act, number: signal.Signals) -> None:
        pid = self._pid(act)
        if pid is not None:
            _send(pid, number)

    def _freeze(self, act: Act) -> None:
        pid = self._pid(act)
        if pid is None:
            return
        self._stopped.add(pid)
        _send(pid, signal.SIGSTOP)
        time.sleep(act.for_s)  # to its end also when all else heals: a freeze is what it is
        _send(pid, signal.SIGCONT)
        self._stopped.discard(pid)

    def _move_the_clock(self, act: Act) -> None:
        clock = self._world.clock(act.target)
        clock.set_offset(act.detail["offset_ms"])
        self._wait(act.for_s)
        clock.set_offset(0)

    def _misbehave(self, act: Act) -> None:
        with suppress(EnactError):  # the practice world itself is down
            self._world.sandbox.set_mode(**act.detail)

    def _expire_tokens(self) -> None:
        with suppress(EnactError):  # the practice world itself is down
            self._world.sandbox.expire_tokens()

    def _engage(self, act: Act) -> None:
        engagement_id = self._people.engage(act.target, act.detail["mode"])
        self._wait(act.for_s)
        if engagement_id is not None:
            self._people.release(act.target, engagement_id)

    def _cancel(self, act: Act) -> None:
        if self._published:
            recent = self._published[-40:]
            self._people.cancel(recent[int(act.detail["choice"] * len(recent))])

    def _wait(self, seconds: float) -> None:
        self._is_healed.wait(seconds)


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
