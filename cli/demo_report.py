"""How the demo ended: what became of each intent and why, what lies in the sandbox, what differed from what was expected."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.demo_board import Course, trail
from cli.progress import PIPE_WIDTH
from connectors.sandbox.admin_client import SandboxAdmin
from enact.ids import idempotency_key
from enact.records import Status, Step

MAKING = frozenset({"create", "fire"})


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What the sandbox itself says: every write that reached it, every change it made, every object that lies there."""

    receipts: Sequence[Mapping[str, Any]]
    applications: Sequence[Mapping[str, Any]]
    objects: Sequence[Mapping[str, Any]]

    @classmethod
    def of(cls, sandbox: SandboxAdmin) -> "World":
        """Ask it. Raises: EnactError if it does not answer."""
        return cls(receipts=sandbox.receipts(kind="write"), applications=sandbox.applications(), objects=sandbox.objects())

    def calls(self, course: Course) -> int:
        """Writes received for one intent."""
        return sum(row["idempotency_key"] == _key(course) for row in self.receipts)

    def made(self, course: Course) -> int:
        """Objects made for one intent."""
        return sum(row["idempotency_key"] == _key(course) and row["operation"] in MAKING for row in self.applications)


def differences(courses: Sequence[Course], world: World) -> list[str]:
    """Everything that is not as it must be, in words; empty = all well."""
    found: list[str] = []
    for course in courses:
        wanted, name = course.scenario, f"{course.scenario.title} ({course.scenario.id})"
        status = course.status.value if course.status is not None else "unknown to the api"
        if course.status is not wanted.end:
            found.append(f"{name} is {status}, expected {wanted.end.value}.")
        elif wanted.code is not None and course.answer.get("error_code") != wanted.code:
            found.append(f"{name} ended with the code {course.answer.get('error_code')}, expected {wanted.code}.")
        found += [f"{name} was never {passed.value}." for passed in wanted.through if passed not in course.seen]
        if world.calls(course) != wanted.calls:
            found.append(f"{name}: the sandbox received {world.calls(course)} calls, expected {wanted.calls}.")
        if world.made(course) != wanted.made:
            found.append(f"{name}: the sandbox made {world.made(course)} objects, expected {wanted.made}.")
    return found


def show_courses(screen: Console, courses: Sequence[Course], world: World) -> None:
    """The table of what happened to each, and why."""
    table = Table(box=None, pad_edge=False, header_style="bold", width=min(screen.width, PIPE_WIDTH))
    table.add_column("intent", width=27)
    table.add_column("status", width=10)
    table.add_column("calls", justify="right")
    table.add_column("made", justify="right")
    table.add_column("what happened, and why")
    for course in courses:
        calls, made = world.calls(course), world.made(course)
        table.add_row(course.scenario.title, trail(course.seen), str(calls or "–"), str(made or "–"), Text(_why(course, made)))
    screen.print(table)
    screen.print(Text("calls = writes that reached the sandbox; made = objects it made of them", style="dim"))


def show_world(screen: Console, world: World) -> None:
    """What lies in the sandbox."""
    kinds = Counter(row["object_type"] for row in world.objects)
    objects = ", ".join(f"{count} {_many(kind.lower(), count)}" for kind, count in kinds.items())
    lost = sum(row["status"] is None for row in world.receipts)
    screen.print(f"{objects}, after {len(world.receipts)} receipts (writes it received; {lost} of them never got their answer):")
    table = Table(box=None, pad_edge=False, show_header=False)
    for row in world.objects:
        text = next((row["fields"][name] for name in ("Subject", "Name", "label") if name in row["fields"]), "")
        table.add_row(f"  {row['tenant']}", row["object_type"], row["id"], text)
    screen.print(table)


def _many(noun: str, count: int) -> str:
    return noun if count == 1 else f"{noun.removesuffix('y')}ies" if noun.endswith("y") else f"{noun}s"


def _why(course: Course, made: int) -> str:
    """Plain words: the api's own, and how often it was tried or published where that is the point."""
    answer, scenario = course.answer, course.scenario
    reason = None if course.status is Status.IN_DOUBT else answer.get("error_message")
    words = [str(reason or answer.get("status_text") or "")]
    if scenario.copies > 1:
        words.append(f"Published {scenario.copies} times, done once.")
    if answer.get("attempt_count", 0) > 1:
        words.append(f"Tried {answer['attempt_count']} times" + (", made once." if made == 1 else "."))
    if Status.HELD in course.seen:
        words.append("It was on hold while all calls were stopped.")
    return " ".join(words)


def _key(course: Course) -> str:
    intent = course.scenario.intent
    return idempotency_key(intent.tenant_id, intent.action_intent_id, Step.EXECUTE)
