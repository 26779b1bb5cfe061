"""Folded state of one partition on local disk: values and the applied offset in one atomic write batch.

Local state is a cache of the log: deleting it costs a restore and nothing else. Writes wait in memory until
`persist`, which the loop calls only after everything that follows from them was acknowledged; `discard`
forgets them, as if the batch had not been read.
"""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
from rocksdict import Options, Rdict, WriteBatch

from enact.errors import StateLostError
from enact.kafka.transport import NextOffset
from enact.log import get_logger

_META_KEY = b"\x00meta"
_WRITE_BUFFER_BYTES = 4 * 1024 * 1024

_log = get_logger("kernel")


class _Meta(msgspec.Struct):
    """Where this state stands: the log's next offset, what was last seen committed for it, the epoch of the last record folded."""

    applied: int | None = None
    committed: int | None = None
    epoch: int | None = None


class PartitionState:
    """Key-value state of one log partition. One thread only; one owner at a time (RocksDB holds a lock).

    `before_persist` is the stage's: called at the beginning of `persist`, for what it puts once for a whole batch.
    """

    def __init__(self, folder: Path, partition: int) -> None:
        """Open it; what cannot be opened is doubtful and starts empty. The caller holds the folder's instance lock.

        Raises: StateLostError if not even an empty one can be opened.
        """
        self.partition = partition
        self.is_silent = False
        self.before_persist: Callable[[], None] = _nothing_more
        self._folder = folder
        self._dirty: dict[bytes, bytes | None] = {}
        try:
            self._db, self._meta = self._open()
        except Exception as error:  # noqa: BLE001 - the library raises nothing more exact
            _log.warning("state_unreadable", error, partition=partition)
            self._db, self._meta = self._empty()

    def _empty(self) -> tuple[Rdict, _Meta]:
        try:
            if self._folder.exists():
                shutil.rmtree(self._folder)
            return self._open()
        except Exception as error:
            message = f"The state of partition {self.partition} cannot be made anew: look at the disk below ENACT_DATA_DIR."
            raise StateLostError(message) from error

    def _open(self) -> tuple[Rdict, _Meta]:
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        options = Options(raw_mode=True)
        options.create_if_missing(True)
        options.set_write_buffer_size(_WRITE_BUFFER_BYTES)
        options.set_max_write_buffer_number(2)
        options.set_max_background_jobs(1)
        options.set_keep_log_file_num(1)
        options.set_max_open_files(64)
        db = Rdict(str(self._folder), options)
        raw = db.get(_META_KEY)
        try:
            return db, msgspec.msgpack.decode(raw, type=_Meta) if raw else _Meta()
        except msgspec.DecodeError:
            db.close()
            raise

    @property
    def applied(self) -> NextOffset | None:
        """The next offset of the log to fold; None = nothing folded yet."""
        return None if self._meta.applied is None else NextOffset(self._meta.applied)

    @property
    def committed(self) -> NextOffset | None:
        """The highest committed offset of the log that this state remembers."""
        return None if self._meta.committed is None else NextOffset(self._meta.committed)

    @property
    def epoch(self) -> int | None:
        """Under which leader the last folded record was taken; None = not known."""
        return self._meta.epoch

    def get(self, key: bytes) -> bytes | None:
        """The value, this batch's writes included."""
        if key in self._dirty:
            return self._dirty[key]
        value: bytes | None = self._db.get(key)
        return value

    def put(self, key: bytes, value: bytes) -> None:
        """Write at the next `persist`."""
        self._dirty[key] = value

    def delete(self, key: bytes) -> None:
        """Delete at the next `persist`."""
        self._dirty[key] = None

    def persisted_keys(self, prefix: bytes, start: bytes | None = None) -> Iterator[bytes]:
        """Keys with this prefix in order, from `start` on; only what is persisted."""
        iterator = self._db.iter()
        iterator.seek(start or prefix)
        while iterator.valid():
            key: bytes = iterator.key()
            if not key.startswith(prefix):
                return
            yield key
            iterator.next()

    def persist(self, applied: NextOffset | None = None, committed: NextOffset | None = None, *, epoch: int | None = None) -> None:
        """Write everything with the applied offset and its leader epoch, atomically; remember `committed` if it is the highest so far.

        Without `applied` both stay: for who follows several logs and keeps their offsets among the values.
        """
        self.before_persist()
        if applied is None:
            applied, epoch = self.applied, self._meta.epoch
        meta = _Meta(applied, _highest(self._meta.committed, committed), epoch)
        batch = WriteBatch(raw_mode=True)
        for key, value in self._dirty.items():
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        batch.put(_META_KEY, msgspec.msgpack.encode(meta))
        self._db.write(batch)
        self._meta = meta
        self._dirty.clear()

    def remember_committed(self, committed: NextOffset) -> None:
        """The group's committed offset has reached this; what waits for `persist` goes on waiting."""
        if self._meta.committed is None or committed > self._meta.committed:
            meta = _Meta(self._meta.applied, committed, self._meta.epoch)
            self._db.put(_META_KEY, msgspec.msgpack.encode(meta))
            self._meta = meta

    @property
    def is_clean(self) -> bool:
        """True if nothing waits for `persist`."""
        return not self._dirty

    def discard(self) -> None:
        """Forget what was not persisted."""
        self._dirty.clear()

    def drop(self) -> None:
        """Delete everything and start empty: what follows is a rebuild from the log. Raises: StateLostError."""
        self._db.close()
        self._dirty.clear()
        self._db, self._meta = self._empty()

    def close(self) -> None:
        """Release the folder."""
        self._db.close()


def _nothing_more() -> None:
    """A stage that puts everything at once has nothing to add."""


def _highest(one: int | None, other: int | None) -> int | None:
    known = [offset for offset in (one, other) if offset is not None]
    return max(known) if known else None
