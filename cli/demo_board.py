"""The demo's view of its executions: asked from the api, shown while they move; and from the ledger, how each came to its end."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cli.demo_intents import ACCOUNT, Scenario
from cli.http import get
from enact.errors import EnactError
from enact.lifecycle import TERMINAL
from enact.records import Status

STYLES = {
    Status.SUCCEEDED: "green",
    Status.FAILED: "red",
    Status.EXPIRED: "red",
    Status.CANCELLED: "magenta",
    Status.IN_DOUBT: "bold yellow",
    Status.RETRYING: "yellow",
    Status.HELD: "cyan",
}
ENDED = TERMINAL | {Status.IN_DOUBT}
_PASSING = frozenset({Status.PENDING, Status.EXECUTING})


@dataclass(slots=True)
class Course:
    """One scenario on its way: the latest answer of the api, and the statuses it was seen in, in order."""

    scenario: Scenario
    answer: dict[str, Any] = field(default_factory=dict)
    seen: list[Status] = field(default_factory=list)

    @property
    def status(self) -> Status | None:
        """Where it is; None = the api does not know it yet."""
        return Status(self.answer["status"]) if self.answer else None

    @property
    def has_ended(self) -> bool:
        """Whether it goes no further without a person."""
        return self.status in ENDED


class Board:
    """All courses of the demo. `look` asks once and shows what changed: a table on a terminal, lines in a pipe."""

    def __init__(self, screen: Console, api_url: str, scenarios: Sequence[Scenario]) -> None:
        self._screen, self._api_url = screen, api_url
        self.courses = {one.id: Course(one) for one in scenarios}
        self._published: set[str] = set()
        self._started_s = time.monotonic()
        self._live: Live | None = None
        self._is_shown = False

    def start(self) -> None:
        """Begin to show."""
        self._is_shown = True
        self._started_s = time.monotonic()
        if self._screen.is_terminal:
            self._live = Live(self._table(), console=self._screen, auto_refresh=False, transient=True)
            self._live.start()

    def stop(self) -> None:
        """Show no more."""
        if self._live is not None:
            self._live.stop()
        self._live = None
        self._is_shown = False

    def say(self, line: str) -> None:
        """One line of the story."""
        self._screen.print(Text(f"{time.monotonic() - self._started_s:5.1f} s  {line}"), soft_wrap=True)

    def publish(self, scenarios: Sequence[Scenario]) -> None:
        """These are on their way from now on."""
        self._published |= {one.id for one in scenarios}

    def look(self) -> None:
        """Ask the api once. Raises: EnactError if it does not answer."""
        for tenant in sorted({self.courses[name].scenario.intent.tenant_id for name in self._published}):
            answer = get(self._api_url, f"/accounts/{ACCOUNT}/executions", tenant=tenant, query=[("limit", "100")])
            for row in answer.body.get("executions", ()):
                self._take(row)
        if self._live is not None:
            self._live.update(self._table(), refresh=True)

    def read_ledgers(self) -> None:
        """Put in what was too quick to be seen: the statuses that the ledger tells of, in its order. Raises: EnactError."""
        for course in self.courses.values():
            told = self._ledger(course.scenario)
            course.seen = [status for status, before in zip(told, [None, *told], strict=False) if status is not before]

    def _ledger(self, scenario: Scenario) -> list[Status]:
        query = [("account_id", ACCOUNT)]
        answer = get(self._api_url, f"/executions/{scenario.id}/ledger", tenant=scenario.intent.tenant_id, query=query)
        if "entries" not in answer.body:
            raise EnactError(f"The ledger of {scenario.id} could not be read: the api answered {answer.status}.")
        entries = sorted(answer.body["entries"], key=lambda entry: (entry["generation"], entry["version"], entry["ledger_offset"]))
        return [Status(entry["status"]) for entry in entries if entry["status"] in Status.__members__]

    def _take(self, row: Mapping[str, Any]) -> None:
        course = self.courses.get(row["action_intent_id"])
        if course is None:
            return
        status = Status(row["status"])
        is_new = status is not course.status
        course.answer = dict(row)
        if is_new:
            course.seen.append(status)
            if self._is_shown and self._live is None and status not in _PASSING:
                self.say(f"{status.value:<9}  {course.scenario.title}")

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False, header_style="bold", title_justify="left")
        table.add_column("intent", no_wrap=True, width=36)
        table.add_column("on its way", no_wrap=True, overflow="ellipsis", width=42)
        for course in self.courses.values():
            is_out = course.scenario.id in self._published
            table.add_row(Text(course.scenario.title, style="" if is_out else "dim"), trail(course.seen))
        return table


def trail(seen: Sequence[Status]) -> Text:
    """`RETRYING → SUCCEEDED`: the way without the stops that everybody makes."""
    stops = [status for status in seen if status not in _PASSING] or list(seen[-1:])
    shown = [status for status, before in zip(stops, [None, *stops], strict=False) if status is not before]
    return Text(" → ").join(Text(status.value, style=STYLES.get(status, "dim")) for status in shown)
