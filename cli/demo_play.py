"""The demo itself, on a running platform: publish, watch, stop all calls and release them, explain, resolve the doubt."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager

from rich.console import Console
from rich.text import Text

from cli.context import Cluster
from cli.demo_board import Board, Course
from cli.demo_intents import Scenario, scenarios
from cli.demo_report import World, differences, show_courses, show_world
from cli.platform import Platform
from cli.progress import headline
from connectors.sandbox.admin_client import SandboxAdmin
from enact.clock import SystemClock
from enact.command_answers import Accepted
from enact.kafka.client import KafkaWriter
from enact.kafka.log_reader import LogReader
from enact.kafka.transport import TopicPartition
from enact.publishing import intent_record
from enact.reading import read_to_end
from enact.records import Status
from topology.stages import STAGES, dead_letters

STOP_HOLDS_S = 2.0
"""From the acknowledgement of a stop until no call starts any more, anywhere."""

_ACTOR = "demo"
_SOURCE = "enact-demo"
_PATIENCE_S = 60.0
_LOOK_EVERY_S = 0.15
_TIMEOUT_S = 30.0


class Play:
    """One run. Calls the supervisor between its own steps, so it belongs to the main thread."""

    def __init__(self, screen: Console, platform: Platform) -> None:
        self._screen, self._platform = screen, platform
        self._scenarios = scenarios(int(time.time()))
        self._sandbox = SandboxAdmin(str(platform.sandbox_url))
        self._board = Board(screen, platform.api_url, self._scenarios)

    @property
    def is_interrupted(self) -> bool:
        """Whether somebody asked to stop."""
        return self._platform.supervisor is None or self._platform.supervisor.is_stopping

    def run(self) -> list[str]:
        """Play all; returns what was not as it must be, or anything if it was interrupted. Raises: EnactError."""
        for scenario in self._scenarios:
            if scenario.trouble:
                self._sandbox.set_mode(**scenario.trouble)
        headline(self._screen, f"{len(self._scenarios)} intents on their way")
        with self._door() as door:
            self._board.start()
            try:
                self._first_act(door)
                self._second_act(door)
            finally:
                self._board.stop()
            if self.is_interrupted:
                return []
            return self._explain() + self._resolve(door) + self._show_dead_letters(door)

    def _first_act(self, door: Cluster) -> None:
        """Publish all that need no stop, and watch until each has come to its end."""
        first = [one for one in self._scenarios if not one.is_published_while_stopped]
        self._publish(door, first)
        self._watch(lambda: all(course.has_ended for course in self._courses(first)))

    def _second_act(self, door: Cluster) -> None:
        """Stop all calls, publish the rest, cancel one of them, release."""
        if self.is_interrupted:
            return
        rest = [one for one in self._scenarios if one.is_published_while_stopped]
        courses = self._courses(rest)
        engaged = door.switches().engage("global", reason="the demo shows a stop")
        self._board.say("all calls are stopped (as `enact switch engage global` does)")
        holds_s = time.monotonic() + STOP_HOLDS_S
        self._watch(lambda: time.monotonic() > holds_s)
        self._publish(door, rest)
        self._watch(lambda: all(course.status is Status.HELD for course in courses))
        for one in rest:
            if one.is_cancelled and not self.is_interrupted:
                door.commands().cancel(
                    tenant_id=one.intent.tenant_id, action_intent_id=one.id, reason="the demo shows a cancel", timeout_s=_TIMEOUT_S
                )
        door.switches().release("global", engagement_id=engaged.engagement_id, reason="seen")
        self._board.say("calls are released again")
        self._watch(lambda: all(course.has_ended for course in courses))

    def _explain(self) -> list[str]:
        self._board.read_ledgers()
        world, courses = World.of(self._sandbox), self._courses(self._scenarios)
        headline(self._screen, "What happened to each, and why")
        show_courses(self._screen, courses, world)
        headline(self._screen, "What lies in the sandbox CRM")
        show_world(self._screen, world)
        return differences(courses, world)

    def _resolve(self, door: Cluster) -> list[str]:
        """What a person does about the one in doubt: shown, and done once."""
        (course,) = (one for one in self._courses(self._scenarios) if one.scenario.end is Status.IN_DOUBT)
        intent = course.scenario.intent
        headline(self._screen, "One is in doubt: a person looks, and says what they found")
        self._screen.print(
            f"{intent.action_intent_id} was sent once and its answer was lost. This tool cannot be asked and must not be called "
            "again, so enact waits. Somebody looks in the other system (above: there is one fire, so it was done) and says so:"
        )
        reason = "seen in the sandbox"
        command = f"enact resolve {intent.action_intent_id} --tenant {intent.tenant_id} --as applied --reason '{reason}'"
        self._screen.print(Text(f"  {command}", style="cyan"), soft_wrap=True)
        answer = door.commands().resolve(
            tenant_id=intent.tenant_id, action_intent_id=intent.action_intent_id, is_applied=True, reason=reason, timeout_s=_TIMEOUT_S
        )
        self._watch(lambda: course.status is Status.SUCCEEDED, patience_s=_TIMEOUT_S)
        status = course.status.value if course.status is not None else "unknown"
        self._screen.print(f"The demo has just done this in that person's place: {answer.message} It is {status} now.")
        calls = World.of(self._sandbox).calls(course)
        is_well = isinstance(answer, Accepted) and course.status is Status.SUCCEEDED and calls == 1
        return [] if is_well else [f"{course.scenario.id} was resolved, but is {status} after {calls} calls: {answer.message}"]

    def _show_dead_letters(self, door: Cluster) -> list[str]:
        headline(self._screen, "Kept for a person: dead letters")
        found = 0
        for stage in (name for name in self._platform.options.stages if STAGES[name].has_dead_letters):
            topic = self._platform.topic(dead_letters(stage))
            codes = sorted(self._codes(door, topic))
            found += len(codes)
            if codes:
                self._screen.print(Text(f"  {topic}: {', '.join(codes)}"), soft_wrap=True)
        self._screen.print("Each is the whole record with the reason in its headers, in its stage's own topic.")
        return [] if found else ["No dead letter was kept, although intents were refused."]

    def _codes(self, door: Cluster, topic: str) -> Iterator[str]:
        with closing(door.open_reader()) as reader:
            for partition in range(reader.partition_count(topic)):
                for record in read_to_end(reader, TopicPartition(topic, partition), clock=door.clock, timeout_s=_TIMEOUT_S):
                    yield dict(record.headers).get("enact-error-code", b"?").decode()

    def _publish(self, door: Cluster, given: Sequence[Scenario]) -> None:
        if self.is_interrupted:
            return
        topic, count = door.topic("intents.approved"), door.partition_count("intents.approved")
        for one in given:
            record = intent_record(one.intent, topic=topic, partition_count=count, source=_SOURCE, now_ms=door.clock.wall_ms())
            for _ in range(one.copies):
                door.writer.send(record)
        door.writer.flush(_TIMEOUT_S)
        self._board.publish(given)
        self._board.say(f"{len(given)} intents published, {sum(one.copies for one in given)} records")

    def _watch(self, is_over: Callable[[], bool], patience_s: float = _PATIENCE_S) -> None:
        """Look until it is over, somebody interrupts, or patience ends; what is missing then shows in `differences`."""
        deadline_s = time.monotonic() + patience_s
        while not self.is_interrupted and time.monotonic() < deadline_s:
            if self._platform.supervisor is not None:
                self._platform.supervisor.tick()
            self._board.look()
            if is_over():
                return
            time.sleep(_LOOK_EVERY_S)

    def _courses(self, given: Sequence[Scenario]) -> list[Course]:
        return [self._board.courses[one.id] for one in given]

    @contextmanager
    def _door(self) -> Iterator[Cluster]:
        kafka = self._platform.kafka
        writer = KafkaWriter(kafka)
        try:
            prefix = self._platform.settings.topic_prefix
            yield Cluster(writer=writer, open_reader=lambda: LogReader(kafka), clock=SystemClock(), actor=_ACTOR, prefix=prefix)
        finally:
            writer.close()
