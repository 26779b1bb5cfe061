"""The switches topic as a process reads it that makes no call: it may refuse or tell by it, never permit."""

from collections.abc import Callable

from enact.clock import Clock
from enact.kafka.global_table import GlobalTable
from enact.kafka.transport import InRecord, Reader
from enact.records import SwitchMode
from enact.switch_view import Engagement, SwitchLog

MAX_AGE_S = 5.0
START_WAIT_S = 5.0


class SwitchTable:
    """One per process, tailed in its own thread. Without the probes of invocation: how old it may be is `age_s`."""

    def __init__(self, topic: str, open_reader: Callable[[], Reader], clock: Clock) -> None:
        self._switches = SwitchLog()
        self._table = GlobalTable(topic, open_reader, on_record=self._take, clock=clock)

    def start(self) -> None:
        """Begin to read; returns when the end was reached, or after five seconds: nobody's work has to wait for this table."""
        self._table.start()
        self._table.wait_complete(START_WAIT_S)

    def stop(self) -> None:
        """End the table's thread."""
        self._table.stop()

    @property
    def engagements(self) -> tuple[Engagement, ...]:
        """Everything engaged, as far as it was read."""
        return self._switches.view.engagements

    @property
    def age_s(self) -> float:
        """Seconds since the table was last known to reach the end of the topic; infinite before it did."""
        return self._table.age_s

    def rejected_by(self, scopes: tuple[str, ...]) -> Engagement | None:
        """An engagement in mode REJECT of one of these scopes.

        None too if the table is not whole or older than `MAX_AGE_S`: its release may be what is missing. Nothing is
        permitted by that; the gate before each call looks at a view that is proven fresh.
        """
        engaged = self._switches.view.stopped_by(scopes)
        if engaged is None or engaged.mode is not SwitchMode.REJECT or not self._table.is_complete:
            return None
        return engaged if self._table.age_s <= MAX_AGE_S else None

    def _take(self, record: InRecord) -> None:
        self._switches.take(record)
        if self._table.is_complete:
            self._switches.show()
