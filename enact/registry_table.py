"""The registry topic as a running process holds it: read whole, tailed, and handed out as immutable views."""

from collections.abc import Callable

from enact.errors import FencedError, NotReadyError, StateLostError, ValidationError
from enact.kafka.global_table import GlobalTable, View
from enact.kafka.transport import NextOffset, Reader
from enact.log import get_logger
from enact.records import codec
from enact.records.action_type import ActionType
from enact.registry import RegistryView

WAIT_S = 2.0
START_TIMEOUT_S = 60.0

_log = get_logger("registry")


class RegistryTable:
    """Views of the registry topic. `view` and `wait_for` belong to one thread; the table reads in its own."""

    def __init__(self, topic: str, open_reader: Callable[[], Reader]) -> None:
        self._table = GlobalTable(topic, open_reader)
        self._source: View | None = None
        self._view = RegistryView()

    def start(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Read the topic to its end. Raises: NotReadyError if that takes longer than `timeout_s`."""
        self._table.start()
        if not self._table.wait_complete(timeout_s):
            raise NotReadyError(f"The registry was not read to its end within {timeout_s:g} s: look at the broker and the topic.")

    def stop(self) -> None:
        """End the table's thread."""
        self._table.stop()

    @property
    def is_complete(self) -> bool:
        """True once the topic was read to its end."""
        return self._table.is_complete

    def view(self) -> RegistryView:
        """The registry now. The same object until the topic has something new. Raises: FencedError as `wait_for`."""
        self._reached(0, 0.0)
        return self._newest()

    def wait_for(self, offset: int) -> RegistryView:
        """A view that holds every record below `offset`.

        Raises: NotReadyError after two seconds; FencedError if the table's thread has ended: this process must stop,
        or it would judge by a registry that stands still.
        """
        if not self._reached(offset, WAIT_S):
            raise NotReadyError(f"The registry table has not reached offset {offset} within {WAIT_S:g} s.")
        return self._newest()

    def _newest(self) -> RegistryView:
        source = self._table.view
        if source is not self._source:
            self._view, self._source = _view_of(source), source
        return self._view

    def _reached(self, offset: int, timeout_s: float) -> bool:
        try:
            return self._table.wait_until(NextOffset(offset), timeout_s)
        except StateLostError as error:
            raise FencedError(error.message) from error


def _view_of(source: View) -> RegistryView:
    """Everything readable in the table. An entry that cannot be read is as good as absent, and logged."""
    entries: list[ActionType] = []
    for held in sorted(source.values(), key=lambda entry: entry.offset):
        try:
            entries.append(codec.decode(ActionType, held.value))
        except ValidationError as error:
            _log.error("registry_entry_unreadable", error, offset=held.offset)
    return RegistryView(entries, next_offset=max((held.offset + 1 for held in source.values()), default=0))
