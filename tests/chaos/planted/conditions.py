"""Misfortunes that are no bugs, brought about in the process so that they come for certain: with and without the bug."""

import time
from collections.abc import Callable
from typing import Any

from enact.errors import DeliveryError
from enact.kafka.stage_loop import StageLoop
from services.invocation.caller import Caller
from tests.chaos.planted.patching import plant

FLUSH_S = 1.5
"""Long enough that the call is on its way."""


def rewind_after_a_start() -> None:
    """The first batch in which a call was started is not acknowledged, after a while: the loop takes it again."""
    submit, flush = Caller.submit, StageLoop._flush
    started: list[bool] = []

    def noting(self: Caller, job: Any) -> None:
        started.append(True)
        submit(self, job)

    def failing(self: StageLoop) -> None:
        flush(self)
        if len(started) == 1:
            started.append(True)
            time.sleep(FLUSH_S)
            raise DeliveryError("A batch was not acknowledged.")

    plant(Caller, "submit", noting)
    plant(StageLoop, "_flush", failing)


CONDITIONS: dict[str, Callable[[], None]] = {"rewind_after_a_start": rewind_after_a_start}
