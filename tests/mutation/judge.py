"""Runs collected tests against mutants, each in a fork of this process: the tests are imported once, and the tree is never touched."""

import os
import resource
from collections.abc import Callable, Sequence
from contextlib import suppress

import pytest
from _pytest.runner import runtestprotocol


class Judge:
    """Runs one batch of tests in a fork and says what failed first."""

    def __init__(self, items: Sequence[pytest.Item], *, cpu_limit_s: int) -> None:
        if not items:
            raise ValueError("no tests: every mutant would live")
        self._items, self._cpu_limit_s = items, cpu_limit_s

    @property
    def tests(self) -> list[str]:
        """The names of its tests."""
        return [item.nodeid for item in self._items]

    def killer_of(self, plant: Callable[[], None]) -> str | None:
        """The first test that fails once `plant` has run, or the clock; None if all pass."""
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            self._die_judging(plant, writing)
        os.close(writing)
        with os.fdopen(reading) as told:
            name = told.read()
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            return f"more than {self._cpu_limit_s} s of CPU time"
        return None if os.WEXITSTATUS(status) == 0 else name

    def _die_judging(self, plant: Callable[[], None], writing: int) -> None:
        """The child's whole life; what it says goes nowhere but into the pipe."""
        resource.setrlimit(resource.RLIMIT_CPU, (self._cpu_limit_s, self._cpu_limit_s + 5))
        name = "its own import"
        with suppress(BaseException):
            quiet = os.open(os.devnull, os.O_WRONLY)
            os.dup2(quiet, 1)
            os.dup2(quiet, 2)
            plant()
            name = next((item.name for item in self._items if _is_failing(item)), "")
        os.write(writing, name.encode())
        os._exit(1 if name else 0)


def _is_failing(item: pytest.Item) -> bool:
    return any(report.failed for report in runtestprotocol(item, nextitem=None, log=False))


def run_in_session(tests: Sequence[str], judge: Callable[[Sequence[pytest.Item]], None]) -> None:
    """Collect these tests and hand them to `judge` in the place of running them.

    Hypothesis draws the same examples for every mutant and keeps none.

    Raises:
        RuntimeError: collecting failed, or `judge` raised.
    """
    code = pytest.main(["-q", "-s", "-p", "no:cacheprovider", "--timeout=0", *tests], plugins=[_InPlaceOfTheLoop(judge)])
    if code != pytest.ExitCode.OK:
        raise RuntimeError(f"pytest ended with {code!r}")


def _draw_the_same_examples_always() -> None:
    from hypothesis import Phase, settings  # noqa: PLC0415 - pytest wants to be there before it

    settings.register_profile("mutation", derandomize=True, database=None, phases=(Phase.explicit, Phase.generate))
    settings.load_profile("mutation")


class _InPlaceOfTheLoop:
    def __init__(self, judge: Callable[[Sequence[pytest.Item]], None]) -> None:
        self._judge = judge

    def pytest_sessionstart(self) -> None:
        _draw_the_same_examples_always()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed:
            raise session.Interrupted("collecting failed")
        self._judge(session.items)
        session.testscollected = max(session.testscollected, 1)
        return True
