"""The world outside as a test wants it, and ears for what the loop and the caller tell."""

from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from connectors.contract import Call, CallResult, Health, Tool
from enact.errors import ErrorCode
from enact.metrics import BreakerState, ClaimResult
from enact.records import ErrorClass
from tests.factories import make_ref

APPLIED = CallResult(refs=(make_ref(),), tool_run_ref="run-1", response=b"{}")

Answer = CallResult | BaseException | None | Callable[[Call], Awaitable[CallResult | None]]


class FakeConnector:
    """Looks for the last time, keeps the call, and answers as it was told; without an order it says that it did it."""

    name = "crm"

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.look_ups: list[Call] = []
        self.compensated: list[Call] = []
        self.answers: deque[Answer] = deque()
        self.found: deque[Answer] = deque()
        self.before_last_look: Callable[[Call], None] = lambda _: None
        self.is_closed = False

    def tools(self) -> tuple[Tool, ...]:
        return ()

    def validate(self, tool_name: str, arguments: Mapping[str, Any]) -> None:
        """Everything is valid."""

    async def execute(self, call: Call) -> CallResult:
        self.before_last_look(call)
        call.last_look()
        self.calls.append(call)
        result = await _say(self.answers.popleft() if self.answers else APPLIED, call)
        if result is None:
            raise TypeError("A call has an answer.")
        return result

    async def compensate(self, call: Call) -> CallResult:
        self.compensated.append(call)
        return await self.execute(call)

    async def look_up(self, call: Call) -> CallResult | None:
        call.last_look()
        self.look_ups.append(call)
        return await _say(self.found.popleft() if self.found else None, call)

    async def health(self) -> Health:
        return Health(ok=True, detail="Fine.")

    async def close(self) -> None:
        self.is_closed = True


async def _say(answer: Answer, call: Call) -> CallResult | None:
    if isinstance(answer, BaseException):
        raise answer
    if answer is None or isinstance(answer, CallResult):
        return answer
    return await answer(call)


class Meter:
    """Counts what the loop and the caller tell."""

    def __init__(self) -> None:
        self.rewinds = 0
        self.claims: list[ClaimResult] = []
        self.gauges: tuple[int, int, float] = (0, 0, 0.0)
        self.waiting: Counter[str] = Counter()
        self.ages: Mapping[str, float] = {}
        self.conditions: dict[str, bool] = {}
        self.breakers: Counter[tuple[str, BreakerState]] = Counter()
        self.is_limits_file_refused = False
        self.results: list[tuple[str, str]] = []

    def claimed(self, result: ClaimResult, unread_s: float) -> None:
        self.claims.append(result)

    def turned(self, in_flight: int, engagements: int, switches_age_s: float, waiting: Counter[str]) -> None:
        self.gauges = (in_flight, engagements, switches_age_s)
        self.waiting = waiting

    def aged(self, oldest_s: Mapping[str, float]) -> None:
        self.ages = oldest_s

    def permitted(self, breakers: Counter[tuple[str, BreakerState]], *, is_limits_file_refused: bool) -> None:
        self.breakers, self.is_limits_file_refused = breakers, is_limits_file_refused

    def called(self, connector: str, result: str, seconds: float, error_class: ErrorClass | None = None) -> None:
        self.results.append((connector, result))

    def scheduled(self) -> None: ...

    def handled(self, seconds: float) -> None: ...

    def waited(self, oldest_age_s: float) -> None: ...

    def ended_together(self, records: int) -> None: ...

    def rewound(self) -> None:
        self.rewinds += 1

    def took(self, records: int) -> None: ...

    def ended(self, topic: str, result: str) -> None: ...

    def flushed(self, seconds: float) -> None: ...

    def lost(self, records: int) -> None: ...

    def restoring(self, remaining: int) -> None: ...

    def quarantined(self, partitions: int) -> None: ...

    def dead_lettered(self, code: ErrorCode) -> None: ...

    def beat(self) -> None: ...

    def set_restored(self, is_restored: bool, detail: str = "") -> None: ...

    def set_assigned(self, is_assigned: bool) -> None: ...

    def set_condition(self, name: str, *, is_met: bool) -> None:
        self.conditions[name] = is_met
