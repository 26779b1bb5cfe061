"""Ledger entries into the tables: a batch is one transaction, an execution's entries in it are one row.

One thread writes. What a batch costs is what an execution costs, not what an entry costs: entries are folded in memory, and
each execution that a batch touches is written once. Twice the same entry changes nothing (`entry_id` decides, not the offset).
"""

from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import repeat
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from msgspec import Struct
from msgspec.structs import astuple, fields

from services.api.bundles import StoredEntry, bundled, unbundled
from services.api.entry_view import view_of
from services.api.fold import Entry, ExecutionRow, fold, new_row, starts_execution
from services.api.tables import entries, executions, offsets

Key = tuple[str, str]
"""`action_intent_id`, `tenant_id`."""

_COLUMNS = tuple(field.name for field in fields(ExecutionRow))
_BUNDLE_COLUMNS = ("action_intent_id", "tenant_id", "bundle")
_KEY_COLUMNS = 2
_IDS_PER_SELECT = 100
_CACHED_EXECUTIONS = 4_000


class Arrived(Struct, frozen=True, gc=False):
    """A ledger entry as the fold sees it, the bytes it was read from and where it lies."""

    entry: Entry
    value: bytes
    offset: int


class Applied(Struct, frozen=True):
    """What one batch did: entries kept, repeats dropped, statuses refused as illegal moves."""

    kept: int = 0
    repeated: int = 0
    refused: tuple[Key, ...] = ()


class _Known(Struct, gc=False):
    row: ExecutionRow | None
    entry_ids: set[str]
    is_stored: bool

    def take(self, entry: Entry) -> bool:
        """Fold an entry that is new. Returns False if its status was refused."""
        self.entry_ids.add(entry.entry_id)
        row = self.row
        if row is None:
            if not starts_execution(entry):
                return True
            row = self.row = new_row(entry)
        return fold(row, entry)


class _Many:
    """One statement for many rows, compiled once: the driver's own `executemany`, without a step per row in between."""

    def __init__(self, statement: sa.Insert | sa.Update, names: Sequence[str], dialect: sa.Dialect) -> None:
        """`names`: what each row holds, in its order."""
        compiled = statement.compile(dialect=dialect)
        self._sql = str(compiled)
        self._names = tuple(names)
        wanted = tuple(compiled.positiontup or ())
        self._is_positional = bool(wanted)
        self._pick = itemgetter(*(names.index(name) for name in wanted)) if wanted and wanted != self._names else None

    def run(self, connection: sa.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Nothing for no rows."""
        if not rows:
            return
        if not self._is_positional:
            connection.exec_driver_sql(self._sql, [dict(zip(self._names, row, strict=True)) for row in rows])
        elif self._pick is not None:
            connection.exec_driver_sql(self._sql, [self._pick(row) for row in rows])
        else:
            connection.exec_driver_sql(self._sql, list(rows))


class _Bundles:
    """Asks for the bundles of many ids, always with the same text: the database parses it once, not for every number of ids."""

    def __init__(self, dialect: sa.Dialect) -> None:
        self._names = tuple(f"id{at}" for at in range(_IDS_PER_SELECT))
        statement = (
            sa.select(entries.c.action_intent_id, entries.c.tenant_id, entries.c.bundle)
            .where(entries.c.action_intent_id.in_([sa.bindparam(name) for name in self._names]))
            .order_by(entries.c.number)
        )
        compiled = statement.compile(dialect=dialect)
        self._sql, self._is_positional = str(compiled), bool(compiled.positiontup)

    def of(self, connection: sa.Connection, ids: Sequence[str]) -> Iterator[tuple[str, str, bytes]]:
        """Id, tenant and bundle, those of one execution in the order of the ledger."""
        for start in range(0, len(ids), _IDS_PER_SELECT):
            asked = ids[start : start + _IDS_PER_SELECT]
            filled = (*asked, *repeat(asked[-1], _IDS_PER_SELECT - len(asked)))
            parameters = filled if self._is_positional else dict(zip(self._names, filled, strict=True))
            yield from (tuple(row) for row in connection.exec_driver_sql(self._sql, parameters))


class LedgerWriter:
    """The writing side of the read model. Not for several threads."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._cache: OrderedDict[Key, _Known] = OrderedDict()
        self._bundles = _Bundles(engine.dialect)
        self._insert_bundle = _Many(_INSERT_BUNDLE, _BUNDLE_COLUMNS, engine.dialect)
        self._insert_execution = _Many(sa.insert(executions), _COLUMNS, engine.dialect)
        self._update_execution = _Many(_UPDATE_EXECUTION, ["key_id", "key_tenant", *_COLUMNS[_KEY_COLUMNS:]], engine.dialect)

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
        told: dict[Key, list[Arrived]] = {}
        for one in arrived:
            entry = one.entry
            told.setdefault((entry.action_intent_id, entry.tenant_id), []).append(one)
        self._load(connection, told.keys())
        bundles: list[tuple[Any, ...]] = []
        inserts: list[tuple[Any, ...]] = []
        updates: list[tuple[Any, ...]] = []
        refused: list[Key] = []
        kept_count = 0
        for key, ones in told.items():
            known = self._cache[key]
            kept = [one for one in ones if one.entry.entry_id not in known.entry_ids and self._take(known, key, one.entry, refused)]
            if not kept:
                continue
            kept_count += len(kept)
            bundles.append((*key, bundled([StoredEntry(one.value, one.offset) for one in kept])))
            if known.row is not None:
                (updates if known.is_stored else inserts).append(astuple(known.row))
                known.is_stored = True
        self._insert_bundle.run(connection, bundles)
        self._insert_execution.run(connection, inserts)
        self._update_execution.run(connection, updates)
        _store_offsets(connection, next_offsets)
        while len(self._cache) > _CACHED_EXECUTIONS:
            self._cache.popitem(last=False)
        return Applied(kept_count, len(arrived) - kept_count, tuple(refused))

    @staticmethod
    def _take(known: _Known, key: Key, entry: Entry, refused: list[Key]) -> bool:
        if not known.take(entry):
            refused.append(key)
        return True

    def _load(self, connection: sa.Connection, keys: Collection[Key]) -> None:
        """Bring every execution of the batch into the cache, folded again from the entries it has."""
        missing = {key for key in keys if key not in self._cache}
        for key in keys:
            if key not in missing:
                self._cache.move_to_end(key)
        for key in missing:
            self._cache[key] = _Known(None, set(), is_stored=False)
        for intent_id, tenant_id, bundle in self._bundles.of(connection, sorted({intent_id for intent_id, _ in missing})):
            if (key := (intent_id, tenant_id)) in missing:
                known = self._cache[key]
                for one in unbundled(bundle):
                    known.take(view_of(one.value))
                known.is_stored = known.row is not None


def _store_offsets(connection: sa.Connection, next_offsets: Mapping[int, int]) -> None:
    if not next_offsets:
        return
    connection.execute(sa.delete(offsets).where(offsets.c.partition.in_(next_offsets)))
    connection.execute(sa.insert(offsets), [{"partition": p, "next_offset": o} for p, o in next_offsets.items()])


_INSERT_BUNDLE = sa.insert(entries).values({name: sa.bindparam(name) for name in _BUNDLE_COLUMNS})
_UPDATE_EXECUTION = (
    sa.update(executions)
    .where(executions.c.action_intent_id == sa.bindparam("key_id"), executions.c.tenant_id == sa.bindparam("key_tenant"))
    .values({name: sa.bindparam(name) for name in _COLUMNS[_KEY_COLUMNS:]})
)
