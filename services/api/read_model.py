"""The read model: ledger entries folded into SQL, rows and offsets in one transaction.

It can be deleted at any time: what it answers is a function of the ledger. One thread writes; any thread reads.
Twice the same entry changes nothing (`entry_id` decides, not the offset).
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from enact.errors import ConfigurationError
from enact.records import LedgerEntry, Status
from services.api.fold import ExecutionRow, fold, new_row, starts_execution
from services.api.tables import SCHEMA_VERSION, entries, executions, facts, metadata, offsets

_Key = tuple[str, str]
_COLUMNS = tuple(f.name for f in fields(ExecutionRow))
_read_columns = attrgetter(*_COLUMNS)
_IDS_PER_SELECT = 500
_CACHED_EXECUTIONS = 4_000


@dataclass(frozen=True, slots=True)
class Arrived:
    """A ledger entry, the bytes it was read from and where it lies."""

    entry: LedgerEntry
    value: bytes
    offset: int


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """The bytes of a ledger entry and where it lies."""

    value: bytes
    offset: int


@dataclass(frozen=True, slots=True)
class Applied:
    """What one batch did: entries kept, repeats dropped, statuses refused as illegal moves."""

    kept: int = 0
    repeated: int = 0
    refused: tuple[_Key, ...] = ()


@dataclass(slots=True)
class _Known:
    row: ExecutionRow | None
    entry_ids: set[str]
    is_stored: bool


class _Many:
    """One statement for many rows, compiled once: the driver's own `executemany`, without a step per row in between."""

    def __init__(self, statement: sa.Insert | sa.Update, dialect: sa.Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self._sql = str(compiled)
        self._names: tuple[str, ...] = tuple(compiled.positiontup or ())

    def run(self, connection: sa.Connection, rows: Sequence[dict[str, Any]]) -> None:
        """Nothing for no rows."""
        if not rows:
            return
        if self._names:
            pick = itemgetter(*self._names)
            connection.exec_driver_sql(self._sql, [pick(row) for row in rows])
        else:
            connection.exec_driver_sql(self._sql, list(rows))


class ReadModel:
    """Tables behind one SQLAlchemy engine; SQLite unless the URL says otherwise."""

    def __init__(self, engine: sa.Engine) -> None:
        """Create the tables; drop what another version of enact left.

        Raises: ConfigurationError if the database cannot be opened.
        """
        self._engine = engine
        self._cache: OrderedDict[_Key, _Known] = OrderedDict()
        self._insert_entry = _Many(sa.insert(entries), engine.dialect)
        self._insert_execution = _Many(sa.insert(executions), engine.dialect)
        self._update_execution = _Many(_UPDATE_EXECUTION, engine.dialect)
        try:
            self._prepare()
        except sa.exc.DBAPIError as error:
            message = (
                f"api: the read model cannot be opened ({type(error.orig).__name__}). Check ENACT_READ_MODEL_URL or the "
                "rights on ENACT_DATA_DIR; a damaged file may be deleted, it is built again from the ledger."
            )
            raise ConfigurationError(message) from error

    @classmethod
    def at(cls, url: str) -> "ReadModel":
        """Open by SQLAlchemy URL; the folder of a SQLite file is created."""
        parsed = sa.make_url(url)
        engine = sa.create_engine(parsed, pool_size=5) if parsed.get_backend_name() != "sqlite" else _sqlite_engine(parsed)
        return cls(engine)

    def _prepare(self) -> None:
        with self._engine.begin() as connection:
            facts.create(connection, checkfirst=True)
            known = connection.execute(sa.select(facts.c.value).where(facts.c.name == "schema_version")).scalar()
            if known is not None and known != SCHEMA_VERSION:
                metadata.drop_all(connection)
            metadata.create_all(connection)
            if known != SCHEMA_VERSION:
                connection.execute(sa.insert(facts).values(name="schema_version", value=SCHEMA_VERSION))

    # Writing: one thread

    def next_offsets(self) -> dict[int, int]:
        """Where to read on, by ledger partition."""
        with self._engine.connect() as connection:
            return {row.partition: row.next_offset for row in connection.execute(sa.select(offsets))}

    def clear(self) -> None:
        """Forget everything: the ledger is not the one this model was built from."""
        self._cache.clear()
        with self._engine.begin() as connection:
            for table in (executions, entries, offsets):
                connection.execute(sa.delete(table))

    def apply(self, arrived: Sequence[Arrived], next_offsets: Mapping[int, int]) -> Applied:
        """Fold a batch and move the offsets, in one transaction: both or neither."""
        try:
            with self._engine.begin() as connection:
                return self._apply(connection, arrived, next_offsets)
        except BaseException:
            self._cache.clear()
            raise

    def _apply(self, connection: sa.Connection, arrived: Sequence[Arrived], next_offsets: Mapping[int, int]) -> Applied:
        self._load(connection, (one.entry.action_intent_id for one in arrived), {_key(one.entry) for one in arrived})
        touched: dict[_Key, _Known] = {}
        new_entries: list[dict[str, Any]] = []
        refused: list[_Key] = []
        for one in arrived:
            entry, key = one.entry, _key(one.entry)
            known = self._cache[key]
            if entry.entry_id in known.entry_ids:
                continue
            known.entry_ids.add(entry.entry_id)
            new_entries.append(
                {
                    "action_intent_id": entry.action_intent_id,
                    "tenant_id": entry.tenant_id,
                    "entry_id": entry.entry_id,
                    "ledger_offset": one.offset,
                    "value": one.value,
                }
            )
            if known.row is None and starts_execution(entry):
                known.row = new_row(entry)
            if known.row is not None:
                touched[key] = known
                if not fold(known.row, entry):
                    refused.append(key)
        self._insert_entry.run(connection, new_entries)
        self._store(connection, touched.values())
        _store_offsets(connection, next_offsets)
        while len(self._cache) > _CACHED_EXECUTIONS:
            self._cache.popitem(last=False)
        return Applied(len(new_entries), len(arrived) - len(new_entries), tuple(refused))

    def _load(self, connection: sa.Connection, ids: Iterable[str], keys: set[_Key]) -> None:
        """Bring every execution of the batch into the cache, with the ids of the entries it has."""
        missing = {key for key in keys if key not in self._cache}
        for key in keys - missing:
            self._cache.move_to_end(key)
        for key in missing:
            self._cache[key] = _Known(None, set(), is_stored=False)
        wanted = sorted({intent_id for intent_id, _ in missing})
        for start in range(0, len(wanted), _IDS_PER_SELECT):
            chunk = wanted[start : start + _IDS_PER_SELECT]
            for stored in connection.execute(_SELECT_ENTRY_IDS, {"ids": chunk}):
                if (key := (stored.action_intent_id, stored.tenant_id)) in missing:
                    self._cache[key].entry_ids.add(stored.entry_id)
            for row in connection.execute(_SELECT_EXECUTIONS, {"ids": chunk}):
                if (key := (row.action_intent_id, row.tenant_id)) in missing:
                    self._cache[key].row = _row(row)
                    self._cache[key].is_stored = True

    def _store(self, connection: sa.Connection, touched: Iterable[_Known]) -> None:
        inserts: list[dict[str, Any]] = []
        updates: list[dict[str, Any]] = []
        for known in touched:
            row = known.row
            if row is None:
                continue
            values = dict(zip(_COLUMNS, _read_columns(row), strict=True))
            if known.is_stored:
                values["key_id"], values["key_tenant"] = values.pop("action_intent_id"), values.pop("tenant_id")
                updates.append(values)
            else:
                inserts.append(values)
                known.is_stored = True
        self._insert_execution.run(connection, inserts)
        self._update_execution.run(connection, updates)

    # Reading: any thread

    def execution(self, tenant_id: str, action_intent_id: str) -> ExecutionRow | None:
        """The execution, or None if this tenant has none of that id."""
        query = sa.select(executions).where(executions.c.action_intent_id == action_intent_id, executions.c.tenant_id == tenant_id)
        with self._engine.connect() as connection:
            row = connection.execute(query).first()
        return _row(row) if row is not None else None

    def executions(
        self, tenant_id: str, account_id: str, *, statuses: Sequence[Status], limit: int, before: tuple[int, str] | None
    ) -> list[ExecutionRow]:
        """At most `limit` executions of an account, newest first, below `before` = (created_at, id) of the last one seen."""
        table = executions.c
        query = sa.select(executions).where(table.tenant_id == tenant_id, table.account_id == account_id)
        if statuses:
            query = query.where(table.status.in_([status.value for status in statuses]))
        if before is not None:
            created_at, intent_id = before
            is_older = sa.or_(table.created_at < created_at, sa.and_(table.created_at == created_at, table.action_intent_id < intent_id))
            query = query.where(is_older)
        query = query.order_by(table.created_at.desc(), table.action_intent_id.desc()).limit(limit)
        with self._engine.connect() as connection:
            return [_row(row) for row in connection.execute(query)]

    def entries(self, tenant_id: str, action_intent_id: str) -> list[StoredEntry]:
        """All ledger entries of an execution in the order of the ledger."""
        table = entries.c
        query = (
            sa.select(table.value, table.ledger_offset)
            .where(table.action_intent_id == action_intent_id, table.tenant_id == tenant_id)
            .order_by(table.ledger_offset)
        )
        with self._engine.connect() as connection:
            return [StoredEntry(bytes(row.value), row.ledger_offset) for row in connection.execute(query)]

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


def sqlite_url(folder: Path) -> str:
    """The read model as a SQLite file in a folder."""
    return str(sa.URL.create("sqlite", database=str(folder / "read-model.sqlite")))


def _sqlite_engine(url: sa.URL) -> sa.Engine:
    if not url.database or url.database == ":memory:":
        return sa.create_engine(url, poolclass=sa.StaticPool, connect_args={"check_same_thread": False})
    Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(url, connect_args={"timeout": 30})

    def configure(connection: Any, _record: Any) -> None:
        # WAL: readers never wait for the fold. NORMAL: a power cut may cost the last batches, whose offsets go with them.
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")

    sa.event.listen(engine, "connect", configure)
    return engine


def _key(entry: LedgerEntry) -> _Key:
    return entry.action_intent_id, entry.tenant_id


def _row(row: Any) -> ExecutionRow:
    return ExecutionRow(**row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name


def _store_offsets(connection: sa.Connection, next_offsets: Mapping[int, int]) -> None:
    if not next_offsets:
        return
    connection.execute(sa.delete(offsets).where(offsets.c.partition.in_(next_offsets)))
    connection.execute(sa.insert(offsets), [{"partition": p, "next_offset": o} for p, o in next_offsets.items()])


_UPDATE_EXECUTION = (
    sa.update(executions)
    .where(executions.c.action_intent_id == sa.bindparam("key_id"), executions.c.tenant_id == sa.bindparam("key_tenant"))
    .values({name: sa.bindparam(name) for name in _COLUMNS if name not in ("action_intent_id", "tenant_id")})
)
_SELECT_EXECUTIONS = sa.select(executions).where(executions.c.action_intent_id.in_(sa.bindparam("ids", expanding=True)))
_SELECT_ENTRY_IDS = sa.select(entries.c.action_intent_id, entries.c.tenant_id, entries.c.entry_id).where(
    entries.c.action_intent_id.in_(sa.bindparam("ids", expanding=True))
)
