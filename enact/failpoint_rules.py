"""What a stage process does at its boundaries when `ENACT_FAILPOINTS` tells it to: for tests of faults, never in production.

    ENACT_FAILPOINTS="invocation:after_claim=kill@3;*:before_commit=delay(0.2)@0.05/7;recording:after_state_write=stop(8)"

A rule is `stage:failpoint=action`, with `*` for every stage, rules joined by `;`. Actions: `kill` (SIGKILL to itself),
`stop(s)` (SIGSTOP; a process of its own continues it after s seconds), `raise` (an unforeseen error on the thread that
passes), `delay(s)`, `hang` (for ever). `@n` = at the n-th passage in a process's life (default 1), once in the life of the data
folder: a process that starts again does not die there again. `@p/seed` = at each passage with probability p, as often as it
comes. `watch` is the rule that does nothing. Whatever the rules, each boundary passed for the first time in a process's life, and
each action, is a line in `failpoints/hits.jsonl` of the data folder.
"""

import json
import os
import random
import re
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Final, NoReturn

from msgspec import Struct

from enact.errors import ConfigurationError
from enact.failpoints import Failpoint, install
from enact.log import get_logger
from enact.settings import KernelSettings, Profile

FOLDER: Final = "failpoints"
HITS_FILE: Final = "hits.jsonl"
WATCH: Final = "watch"
VARIABLE: Final = "ENACT_FAILPOINTS"
_RULE: Final = re.compile(
    r"(?P<stage>[a-z_]+|\*):(?P<failpoint>[a-z_]+)=(?P<action>[a-z]+)(?:\((?P<seconds>\d+(?:\.\d+)?)\))?"
    r"(?:@(?:(?P<probability>0?\.\d+|1\.0)/(?P<seed>\d+)|(?P<nth>[1-9]\d*)))?"
)


class Action(StrEnum):
    """What a rule does."""

    KILL = "kill"
    STOP = "stop"
    RAISE = "raise"
    DELAY = "delay"
    HANG = "hang"


_LASTING: Final = frozenset({Action.STOP, Action.DELAY})


class FailpointError(RuntimeError):
    """Raised at a boundary because a rule asked for it."""


class Rule(Struct, frozen=True, kw_only=True):
    """One rule. Either `nth` or `probability` (with `seed`) says when; `seconds` belongs to stop and delay."""

    stage: str
    failpoint: Failpoint
    action: Action
    seconds: float = 0.0
    nth: int | None = None
    probability: float = 0.0
    seed: int = 0


def parse_rules(text: str) -> tuple[Rule, ...]:
    """The rules of an `ENACT_FAILPOINTS`. Raises: ConfigurationError naming the rule that cannot be read."""
    return tuple(_parsed(part.strip()) for part in text.split(";") if part.strip() not in {"", WATCH})


def _parsed(text: str) -> Rule:
    met = _RULE.fullmatch(text)
    if met is None:
        _refuse(text, "write stage:failpoint=action, action(seconds) for stop and delay, then @n or @p/seed")
    if met["failpoint"] not in set(Failpoint):
        _refuse(text, f"the failpoints are {', '.join(Failpoint)}")
    if met["action"] not in set(Action):
        _refuse(text, f"the actions are {', '.join(Action)}")
    action = Action(met["action"])
    if (action in _LASTING) != (met["seconds"] is not None):
        _refuse(text, f"{action} {'takes seconds: ' + action + '(2)' if action in _LASTING else 'takes no seconds'}")
    return Rule(
        stage=met["stage"],
        failpoint=Failpoint(met["failpoint"]),
        action=action,
        seconds=float(met["seconds"] or 0),
        nth=None if met["probability"] else int(met["nth"] or 1),
        probability=float(met["probability"] or 0),
        seed=int(met["seed"] or 0),
    )


def _refuse(text: str, advice: str) -> NoReturn:
    raise ConfigurationError(f"{VARIABLE}: the rule {text!r} cannot be read: {advice}.")


def enable_failpoints(stage: str, settings: KernelSettings) -> None:
    """Do what the settings ask for at the boundaries of this process, if anything.

    Raises: ConfigurationError for a rule that cannot be read, and for any rule in the production profile.
    """
    if settings.failpoints is None:
        return
    if settings.profile is Profile.PRODUCTION:
        raise ConfigurationError(f"{VARIABLE} is set in the production profile: it makes processes die on purpose; take it away.")
    rules = [rule for rule in parse_rules(settings.failpoints) if rule.stage in {"*", stage}]
    get_logger(stage).warning("failpoints_enabled", failpoint=settings.failpoints, count=len(rules))
    install(Rules(stage, rules, settings.data_dir / FOLDER))


class Rules:
    """The hook of a process: counts passages, notes the first of each, acts. Any thread."""

    def __init__(self, stage: str, rules: list[Rule], folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._stage, self._rules, self._folder = stage, rules, folder
        self._passages: Counter[Failpoint] = Counter()
        self._chance = {number: random.Random(f"{rule.seed}:{os.getpid()}") for number, rule in enumerate(rules)}  # noqa: S311
        self._lock = threading.Lock()
        self._log = get_logger(stage)

    def __call__(self, failpoint: Failpoint) -> None:
        """A boundary is passed."""
        with self._lock:
            self._passages[failpoint] += 1
            count = self._passages[failpoint]
            if count == 1:
                self._note(failpoint, "passed", count)
            due = [rule for number, rule in enumerate(self._rules) if rule.failpoint is failpoint and self._is_due(number, rule, count)]
        for rule in due:
            self._note(failpoint, rule.action, count, rule.seconds)
            self._log.warning("failpoint_acts", failpoint=failpoint, result=rule.action, count=count)
            ACTIONS[rule.action](rule.seconds)

    def _is_due(self, number: int, rule: Rule, count: int) -> bool:
        if rule.nth is None:
            return self._chance[number].random() < rule.probability
        return count == rule.nth and self._is_first_life(rule)

    def _is_first_life(self, rule: Rule) -> bool:
        """Whoever makes the marker acts: one process of the data folder, once."""
        marker = self._folder / f"{self._stage}.{rule.failpoint}.{rule.action}.{rule.nth}"
        with suppress(FileExistsError):
            marker.touch(exist_ok=False)
            return True
        return False

    def _note(self, failpoint: Failpoint, what: str, count: int, seconds: float = 0.0) -> None:
        line = {"t_ms": time.time_ns() // 1_000_000, "stage": self._stage, "pid": os.getpid(), "failpoint": failpoint, "what": what}
        with (self._folder / HITS_FILE).open("a", encoding="utf-8") as file:
            file.write(json.dumps({**line, "count": count, "seconds": seconds}) + "\n")


def _kill(_: float) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _stop(seconds: float) -> None:
    """The process that continues us must not be a thread of ours: those stop too."""
    script = f"sleep {seconds:g}; kill -CONT {os.getpid()}"
    nothing = subprocess.DEVNULL
    _wakers.append(subprocess.Popen(["/bin/sh", "-c", script], stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True))
    os.kill(os.getpid(), signal.SIGSTOP)


def _raise(_: float) -> None:
    raise FailpointError("A failpoint was told to raise here.")


def _hang(_: float) -> None:
    threading.Event().wait()


_wakers: list[subprocess.Popen[bytes]] = []

ACTIONS: Final[dict[Action, Callable[[float], None]]] = {
    Action.KILL: _kill,
    Action.STOP: _stop,
    Action.RAISE: _raise,
    Action.DELAY: time.sleep,
    Action.HANG: _hang,
}
