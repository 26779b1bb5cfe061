"""Small reference data that every instance reads whole: one partition, one thread, an immutable view."""

import math
import threading
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple, TypeVar

from enact.clock import Clock, SystemClock
from enact.errors import BrokerError, EnactError, StateLostError
from enact.kafka.client_errors import OffsetOutOfRangeError
from enact.kafka.transport import Batch, InRecord, NextOffset, Offset, Reader, TopicPartition
from enact.log import get_logger

MAX_RECORDS = 500
WAIT_S = 0.1
RETRY_S = 0.5
CHECK_S = 2.0
STOP_S = 15.0

_log = get_logger("kafka")

T = TypeVar("T")


class Entry(NamedTuple):
    """The newest value of a key and where it lies."""

    value: bytes
    offset: Offset


View = Mapping[bytes, Entry]


class GlobalTable:
    """The newest value of every key of a one-partition topic, read with `assign` and tailed in an own thread.

    `on_record` is called in that thread for each record in offset order (tombstones and keyless records too), after `view` holds it;
    `offset` and `wait_until` count a record only after its call. If the log no longer holds our offset, the table is read again from
    the beginning: `on_reload` is called, `is_complete` is false and the old view stays until the new one is whole (`on_record` then runs
    ahead of the view). A broker that is away makes the table old (`age_s`), never empty. Whatever `on_record` raises ends the thread for
    good: the view stays, its age is infinite, `wait_until` raises.
    """

    def __init__(
        self,
        topic: str,
        open_reader: Callable[[], Reader],
        *,
        on_record: Callable[[InRecord], None] | None = None,
        on_reload: Callable[[], None] | None = None,
        clock: Clock | None = None,
        check_s: float = CHECK_S,
    ) -> None:
        self._partition = TopicPartition(topic, 0)
        self._open_reader = open_reader
        self._on_record = on_record
        self._on_reload = on_reload
        self._clock: Clock = clock if clock is not None else SystemClock()
        self._check_s = check_s
        self._thread = threading.Thread(target=self._run, name=f"global-table-{topic}", daemon=True)
        self._stop = threading.Event()
        self._moved = threading.Condition()
        self._view: View = MappingProxyType({})
        self._offset = NextOffset(0)
        self._is_complete = False
        self._current_s: float | None = None
        self._failure: BaseException | None = None

    @property
    def view(self) -> View:
        """The table now; never changes under the caller."""
        return self._view

    @property
    def offset(self) -> NextOffset:
        """The offset after the last record taken in."""
        return self._offset

    @property
    def is_complete(self) -> bool:
        """Read to the end that the topic had after the start (or after the last reload)."""
        return self._is_complete

    @property
    def age_s(self) -> float:
        """Seconds since the view was last known to reach the end of the topic; infinite if it never did, or the thread has ended."""
        current_s = self._current_s
        if current_s is None or self._failure is not None:
            return math.inf
        return max(0.0, self._clock.boot_s() - current_s)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; the view stays as it is."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(STOP_S)

    def wait_until(self, offset: NextOffset, timeout_s: float) -> bool:
        """True once every record below `offset` is in the view; False after `timeout_s`.

        Raises: StateLostError if the table's thread has ended on an error.
        """
        if self._failure is None and self._offset >= offset:
            return True  # asked for every record: no lock where there is nothing to wait for
        return self._wait(lambda: self._offset >= offset, timeout_s)

    def wait_complete(self, timeout_s: float) -> bool:
        """True once `is_complete`; False after `timeout_s`. Raises: as `wait_until`."""
        return self._wait(lambda: self._is_complete, timeout_s)

    def _wait(self, is_reached: Callable[[], bool], timeout_s: float) -> bool:
        with self._moved:
            self._moved.wait_for(lambda: self._failure is not None or is_reached(), timeout_s)
            if self._failure is not None:
                raise StateLostError(f"The table of {self._partition.topic} stopped on an error: restart this process.") from self._failure
            return is_reached()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._read_whole()
        except BaseException as error:  # noqa: BLE001 - a thread's last words, raised again in `wait_until`
            _log.critical("global_table_stopped", error, topic=self._partition.topic)
            with self._moved:
                self._failure = error
                self._moved.notify_all()

    def _read_whole(self) -> None:
        """One life of a reader: from the beginning of the topic until stopped, or until the log no longer holds our offset."""
        reader = self._retrying(self._open_reader)
        if reader is None:
            return
        try:
            begin = self._retrying(lambda: reader.begin_offsets([self._partition])[self._partition])
            asked_s = self._clock.boot_s()
            target = self._retrying(lambda: reader.end_offsets([self._partition])[self._partition])
            if begin is None or target is None:
                return
            reader.assign({self._partition: begin})
            self._tail(reader, begin, target, asked_s)
        except OffsetOutOfRangeError as error:
            _log.warning("global_table_reloads", error, topic=self._partition.topic)
            self._is_complete = False
            if self._on_reload is not None:
                self._on_reload()
        except BrokerError as error:
            # The hook could not judge a record (a schema registry is away): what it has not seen is not skipped.
            _log.warning("global_table_waits", error, topic=self._partition.topic)
            self._is_complete = False
            self._stop.wait(RETRY_S)
        finally:
            reader.close()

    def _tail(self, reader: Reader, begin: NextOffset, target: NextOffset, asked_s: float) -> None:
        entries: dict[bytes, Entry] = {}
        position, checked_s = begin, asked_s
        is_reload = self._current_s is not None
        while not self._stop.is_set():
            batch = self._take(reader)
            if batch.records:
                self._take_in(batch, entries, is_shown=self._is_complete or not is_reload)
                position = NextOffset(batch.records[-1].offset + 1)
            position = NextOffset(max(position, batch.ends.get(self._partition, position)))
            if not self._is_complete and position >= target:
                self._current_s = asked_s
                self._complete(entries, position, target)
            if batch.ends:
                self._current_s = self._clock.boot_s()
            if self._is_complete or not is_reload:
                self._move(position)
            if self._clock.boot_s() - checked_s >= self._check_s:
                checked_s = self._clock.boot_s()
                self._check_current(reader, position, checked_s)

    def _take(self, reader: Reader) -> Batch:
        try:
            return reader.take(MAX_RECORDS, WAIT_S)
        except OffsetOutOfRangeError:
            raise
        except EnactError as error:
            _log.warning("global_table_read_failed", error, topic=self._partition.topic)
            self._stop.wait(RETRY_S)
            return Batch((), {})

    def _take_in(self, batch: Batch, entries: dict[bytes, Entry], *, is_shown: bool) -> None:
        for record in batch.records:
            if record.key is None:
                continue
            if record.value is None:
                entries.pop(record.key, None)
            else:
                entries[record.key] = Entry(record.value, record.offset)
        if is_shown:
            self._view = MappingProxyType(dict(entries))
        for record in batch.records:
            if self._on_record is not None:
                self._on_record(record)
            if is_shown:
                self._move(NextOffset(record.offset + 1))

    def _complete(self, entries: dict[bytes, Entry], position: NextOffset, target: NextOffset) -> None:
        self._view = MappingProxyType(dict(entries))
        self._is_complete = True
        _log.info("global_table_complete", topic=self._partition.topic, next_offset=position, end_offset=target, count=len(entries))

    def _move(self, position: NextOffset) -> None:
        with self._moved:
            self._offset = position
            self._moved.notify_all()

    def _check_current(self, reader: Reader, position: NextOffset, asked_s: float) -> None:
        """Ask the broker whether there is more; an answer "no" makes the view as young as the question."""
        try:
            end = reader.end_offsets([self._partition])[self._partition]
        except EnactError as error:
            _log.warning("global_table_is_stale", error, topic=self._partition.topic, age_s=self.age_s)
            return
        if position >= end:
            self._current_s = asked_s

    def _retrying(self, ask: Callable[[], T]) -> T | None:
        """Until it works or the table is stopped (None): a broker may be away when we start."""
        while not self._stop.is_set():
            try:
                return ask()
            except OffsetOutOfRangeError:
                raise
            except EnactError as error:
                _log.warning("global_table_waits", error, topic=self._partition.topic)
                self._stop.wait(RETRY_S)
        return None
