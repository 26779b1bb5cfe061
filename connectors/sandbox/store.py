"""The sandbox's memory: every receipt, every application, every object, in one SQLite file.

Writes of one turn of the event loop share a commit. An answer leaves only after its commit, so that what a
client was told survives a `kill -9` of the sandbox (not a power cut).
"""

import asyncio
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS receipts (
  seq INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, kind TEXT NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL,
  tenant TEXT, attempt TEXT, idempotency_key TEXT, status INTEGER, mode TEXT);
CREATE TABLE IF NOT EXISTS applications (
  seq INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, receipt_seq INTEGER NOT NULL, tenant TEXT NOT NULL, object_type TEXT NOT NULL,
  object_id TEXT NOT NULL, operation TEXT NOT NULL, attempt TEXT, idempotency_key TEXT);
CREATE TABLE IF NOT EXISTS objects (
  number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, object_type TEXT NOT NULL, external_id TEXT,
  fields TEXT NOT NULL, is_deleted INTEGER NOT NULL DEFAULT 0, created_ms INTEGER NOT NULL, modified_ms INTEGER NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS objects_by_external_id ON objects (tenant, object_type, external_id)
  WHERE external_id IS NOT NULL AND is_deleted = 0;
CREATE TABLE IF NOT EXISTS tokens (token TEXT PRIMARY KEY, tenant TEXT NOT NULL, expires_ms INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS keys (tenant TEXT NOT NULL, key TEXT NOT NULL, object_id TEXT NOT NULL, at_ms INTEGER NOT NULL,
  PRIMARY KEY (tenant, key));
CREATE TABLE IF NOT EXISTS modes (id INTEGER PRIMARY KEY, rule TEXT NOT NULL, remaining INTEGER);
"""
FILTERS: Final = {
    "receipts": frozenset({"kind", "method", "path", "tenant", "attempt", "idempotency_key", "status"}),
    "applications": frozenset({"tenant", "object_type", "object_id", "operation", "attempt", "idempotency_key", "receipt_seq"}),
    "objects": frozenset({"id", "tenant", "object_type", "external_id", "is_deleted"}),
}
ORDER: Final = {"receipts": "seq", "applications": "seq", "objects": "number"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """One request as it came in. `tenant` is None until somebody is logged in."""

    seq: int
    tenant: str | None
    attempt: str | None
    idempotency_key: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """One object of one tenant."""

    id: str
    object_type: str
    external_id: str | None
    fields: dict[str, Any]
    is_deleted: bool
    created_ms: int
    modified_ms: int


class Store:
    """One connection, used from one event loop."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.executescript(SCHEMA)
        self._next_number = int(self._db.execute("SELECT coalesce(max(number), 0) FROM objects").fetchone()[0]) + 1
        self._commit: asyncio.Future[None] | None = None

    def close(self) -> None:
        """Commit and close."""
        self._finish()
        self._db.close()

    async def settled(self) -> None:
        """Wait until everything written so far is committed."""
        if self._commit is not None:
            await asyncio.shield(self._commit)

    def write(self, sql: str, values: tuple[Any, ...]) -> sqlite3.Cursor:
        """Write within the current turn's transaction."""
        if self._commit is None:
            self._db.execute("BEGIN")
            loop = asyncio.get_running_loop()
            self._commit = loop.create_future()
            loop.call_soon(self._finish)
        return self._db.execute(sql, values)

    def read(self, sql: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Read, including what the current turn wrote."""
        return self._db.execute(sql, values).fetchall()

    def add_receipt(self, *, kind: str, method: str, path: str, tenant: str | None, attempt: str | None, key: str | None) -> Receipt:
        """Log a request, whatever becomes of it."""
        cursor = self.write(
            "INSERT INTO receipts (at_ms, kind, method, path, tenant, attempt, idempotency_key) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (now_ms(), kind, method, path, tenant, attempt, key),
        )
        return Receipt(seq=int(cursor.lastrowid or 0), tenant=tenant, attempt=attempt, idempotency_key=key)

    def end_receipt(self, receipt: Receipt, *, status: int | None, mode: str | None) -> None:
        """Note the answer of a request; None = none was given."""
        self.write("UPDATE receipts SET status = ?, mode = ? WHERE seq = ?", (status, mode, receipt.seq))

    def add_application(self, receipt: Receipt, *, object_type: str, object_id: str, operation: str) -> None:
        """Log that a request changed the world."""
        self.write(
            "INSERT INTO applications (at_ms, receipt_seq, tenant, object_type, object_id, operation, attempt, idempotency_key)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (now_ms(), receipt.seq, receipt.tenant, object_type, object_id, operation, receipt.attempt, receipt.idempotency_key),
        )

    def next_number(self) -> int:
        """A number for a new object; never given twice."""
        number = self._next_number
        self._next_number += 1
        return number

    def insert(self, *, number: int, id: str, tenant: str, object_type: str, external_id: str | None, fields: Mapping[str, Any]) -> None:
        """Add an object. Raises: sqlite3.IntegrityError if the external id is taken."""
        at_ms = now_ms()
        self.write(
            "INSERT INTO objects (number, id, tenant, object_type, external_id, fields, created_ms, modified_ms)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (number, id, tenant, object_type, external_id, orjson.dumps(dict(fields)).decode(), at_ms, at_ms),
        )

    def update(self, id: str, *, external_id: str | None, fields: Mapping[str, Any], is_deleted: bool = False) -> None:
        """Replace an object's content. Raises: sqlite3.IntegrityError if the external id is taken."""
        self.write(
            "UPDATE objects SET external_id = ?, fields = ?, is_deleted = ?, modified_ms = ? WHERE id = ?",
            (external_id, orjson.dumps(dict(fields)).decode(), int(is_deleted), now_ms(), id),
        )

    def find(self, tenant: str, object_type: str, *, id: str | None = None, external_id: str | None = None) -> StoredObject | None:
        """One object of this tenant, by id (also a deleted one) or by external id (never a deleted one)."""
        where, value = ("id = ?", id) if id is not None else ("is_deleted = 0 AND external_id = ?", external_id)
        rows = self.read(f"{SELECT_OBJECTS} AND {where}", (tenant, object_type, value))
        return _stored(rows[0]) if rows else None

    def all_of(self, tenant: str, object_type: str) -> list[StoredObject]:
        """All objects of one type of this tenant, oldest first, without the deleted ones."""
        return [_stored(row) for row in self.read(f"{SELECT_OBJECTS} AND is_deleted = 0 ORDER BY number", (tenant, object_type))]

    def rows(self, table: str, filters: Mapping[str, str], *, after: int, limit: int) -> list[dict[str, Any]]:
        """Rows of a table for the admin's eyes, in order. Raises: KeyError for an unknown table or filter."""
        unknown = set(filters) - FILTERS[table]
        if unknown:
            raise KeyError(min(unknown))
        conditions = "".join(f" AND {name} = ?" for name in filters)
        cursor = self._db.execute(
            f"SELECT * FROM {table} WHERE {ORDER[table]} > ?{conditions} ORDER BY {ORDER[table]} LIMIT ?",  # noqa: S608 (names checked above)
            (after, *filters.values(), limit),
        )
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def _finish(self) -> None:
        if self._commit is None:
            return
        self._db.execute("COMMIT")
        commit, self._commit = self._commit, None
        if not commit.done():
            commit.set_result(None)


SELECT_OBJECTS: Final = (
    "SELECT id, object_type, external_id, fields, is_deleted, created_ms, modified_ms FROM objects WHERE tenant = ? AND object_type = ?"
)


def _stored(row: tuple[Any, ...]) -> StoredObject:
    return StoredObject(
        id=row[0],
        object_type=row[1],
        external_id=row[2],
        fields=orjson.loads(row[3]),
        is_deleted=bool(row[4]),
        created_ms=row[5],
        modified_ms=row[6],
    )


def now_ms() -> int:
    """Milliseconds since the epoch, by the machine's clock: the sandbox lives in real time."""
    return time.time_ns() // 1_000_000
