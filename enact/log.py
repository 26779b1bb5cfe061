"""JSON lines on stderr: what happened, with ids and offsets; never a payload, never a secret.

`get_logger("invocation").info("attempt_claimed", action_intent_id=..., offset=...)`. The fields are a closed list,
checked by mypy; one that slips through untyped is dropped and only its name is written (`dropped_fields`).
Levels: debug = per record, info = life cycle, warning = heals itself, error = a person must look, critical = the process stops.

Foreign libraries: their message text is written only for those in `SPEAKING`, which put no payload into it; of the others
only where it came from and the exception's class.
"""

import logging
import re
import sys
import traceback
from datetime import UTC, datetime
from typing import Any, TextIO, TypedDict, Unpack

import orjson

from enact.errors import EnactError

SPEAKING = ("librdkafka", "asyncio")
HEALING = ("librdkafka",)
"""Calls each lost connection an error and mends it; what it cannot mend reaches us as an exception."""

REPEATED_EVERY_S = 10.0
"""A library that heals itself says the same thing up to forty times a second while a broker is away."""

MAX_TEXT_CHARS = 1000
MAX_STACK_FRAMES = 30


class LogFields(TypedDict, total=False):
    """Everything a log line may carry besides time, level, stage and action."""

    tenant_id: str | None
    account_id: str | None
    action_intent_id: str | None
    action_type: str
    generation: int
    step: str
    attempt: int
    event_id: str
    command_id: str
    execution_trace_id: str
    registry_version: int
    topic: str
    partition: int
    partitions: list[str]
    offset: int
    next_offset: int
    begin_offset: int
    end_offset: int
    group: str
    count: int
    size_bytes: int
    duration_s: float
    wait_s: float
    age_s: float
    lag: int
    status: str
    code: str
    reason: str
    result: str
    connector: str
    tool_name: str
    scope: str
    engagement_id: str
    actor: str
    digest: str
    settings: list[str]
    url: str
    method: str
    route: str
    port: int
    pid: int
    signal: str
    exit_code: int
    failpoint: str
    text: str


ALLOWED = frozenset(LogFields.__annotations__)


class StageLogger:
    """One stage's log. `error` is written as class, code, EnactError sentence and stack: never a foreign message."""

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self._log = logging.getLogger(f"enact.{stage}")

    def debug(self, action: str, error: BaseException | None = None, **fields: Unpack[LogFields]) -> None:
        """Per record."""
        self._write(logging.DEBUG, action, error, fields)

    def info(self, action: str, error: BaseException | None = None, **fields: Unpack[LogFields]) -> None:
        """Life cycle."""
        self._write(logging.INFO, action, error, fields)

    def warning(self, action: str, error: BaseException | None = None, **fields: Unpack[LogFields]) -> None:
        """Heals itself."""
        self._write(logging.WARNING, action, error, fields)

    def error(self, action: str, error: BaseException | None = None, **fields: Unpack[LogFields]) -> None:
        """A person must look."""
        self._write(logging.ERROR, action, error, fields)

    def critical(self, action: str, error: BaseException | None = None, **fields: Unpack[LogFields]) -> None:
        """The process stops."""
        self._write(logging.CRITICAL, action, error, fields)

    def _write(self, level: int, action: str, error: BaseException | None, fields: LogFields) -> None:
        if self._log.isEnabledFor(level):
            self._log.log(level, action, extra={"enact_fields": fields, "enact_error": error})


def get_logger(stage: str) -> StageLogger:
    """The log of a stage (or of a part of the kernel): its name is on every line."""
    return StageLogger(stage)


def configure(level: str = "info", stream: TextIO | None = None) -> None:
    """Write every line of this process to `stream` (stderr) from `level` on; foreign libraries from warning on."""
    handler = logging.StreamHandler(stream if stream is not None else sys.stderr)
    handler.setFormatter(JsonLines())
    handler.addFilter(Repeats())
    root = logging.getLogger()
    for old in [one for one in root.handlers if isinstance(one.formatter, JsonLines)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("enact").setLevel(level.upper())
    logging.raiseExceptions = False


class Repeats(logging.Filter):
    """Lets through what a healing library says anew, and what it repeats once every `REPEATED_EVERY_S`, with the number left out.

    Two lines are the same if they differ in numbers only ("after 3ms in state CONNECT"), behind the client's own name.
    """

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is written; `repeated` is how many like it were not."""
        if record.name not in HEALING:
            return True
        client, _, text = record.getMessage().partition("]")
        same = client + re.sub(r"\d+", "#", text)
        since_s, left_out = self._said.get(same, (-REPEATED_EVERY_S, 0))
        if 0 <= record.created - since_s < REPEATED_EVERY_S:
            self._said[same] = (since_s, left_out + 1)
            return False
        self._said[same] = (record.created, 0)
        if left_out:
            record.repeated = left_out
        return True


class JsonLines(logging.Formatter):
    """One record, one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
        }
        fields: Any = getattr(record, "enact_fields", None)
        error: BaseException | None = getattr(record, "enact_error", None)
        if fields is None:
            error = error or (record.exc_info[1] if record.exc_info else None)
            line |= {"stage": "library", "action": "library_log", "library": record.name, "source": f"{record.module}:{record.lineno}"}
            if record.name.split(".", 1)[0] in SPEAKING:
                line["text"] = record.getMessage()[:MAX_TEXT_CHARS]
            if record.name in HEALING and record.levelno > logging.WARNING:
                line["level"] = "warning"
            if repeated := getattr(record, "repeated", 0):
                line["repeated"] = repeated
        else:
            line |= {"stage": record.name.removeprefix("enact."), "action": record.msg}
            line |= {name: _short(value) for name, value in fields.items() if name in ALLOWED}
            if dropped := sorted(name for name in fields if name not in ALLOWED):
                line["dropped_fields"] = dropped
        if error is not None:
            line |= describe_error(error)
        return orjson.dumps(line, default=lambda value: type(value).__name__).decode()


def describe_error(error: BaseException) -> dict[str, Any]:
    """Class, code, sentence (of an EnactError only: foreign messages may quote values) and where it was raised."""
    told: dict[str, Any] = {"error": type(error).__qualname__}
    if isinstance(error, EnactError):
        told |= {"error_code": error.code.value, "error_message": error.message[:MAX_TEXT_CHARS]}
    frames = traceback.extract_tb(error.__traceback__)[-MAX_STACK_FRAMES:]
    if frames:
        told["stack"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    if error.__cause__ is not None:
        told["cause"] = type(error.__cause__).__qualname__
    return told


def _short(value: object) -> object:
    return value[:MAX_TEXT_CHARS] if isinstance(value, str) else value
