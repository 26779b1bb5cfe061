"""The read model: ledger entries folded into SQL, rows and offsets in one transaction.

It can be deleted at any time: what it answers is a function of the ledger. One thread writes; any thread reads.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from enact.errors import ConfigurationError
from enact.lifecycle import TERMINAL
from enact.records import Status
from services.api.bundles import StoredEntry, unbundled
from services.api.fold import ExecutionRow
from services.api.ledger_writer import LedgerWriter
from services.api.tables import IS_NOT_DONE, SCHEMA_VERSION, entries, executions, facts, metadata

_UNENDED = [status.value for status in Status if status not in TERMINAL | {Status.UNKNOWN}]


class ReadModel:
    """Tables behind one SQLAlchemy engine; SQLite unless the URL says otherwise. `ledger` is its writing side."""

    def __init__(self, engine: sa.Engine) -> None:
        """Create the tables; drop what another version of enact left.

        Raises: ConfigurationError if the database cannot be opened.
        """
        self._engine = engine
        try:
            self._prepare()
        except sa.exc.DBAPIError as error:
            message = (
                f"api: the read model cannot be opened ({type(error.orig).__name__}). Check ENACT_READ_MODEL_URL or the "
                "rights on ENACT_DATA_DIR; a damaged file may be deleted, it is built again from the ledger."
            )
            raise ConfigurationError(message) from error
        self.ledger = LedgerWriter(engine)

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
            if Status.SUCCEEDED not in statuses:
                query = query.where(sa.text(IS_NOT_DONE))
        if before is not None:
            created_at, intent_id = before
            is_older = sa.or_(table.created_at < created_at, sa.and_(table.created_at == created_at, table.action_intent_id < intent_id))
            query = query.where(is_older)
        query = query.order_by(table.created_at.desc(), table.action_intent_id.desc()).limit(limit)
        with self._engine.connect() as connection:
            return [_row(row) for row in connection.execute(query)]

    def affected(self, scope: str) -> dict[str, int]:
        """How many executions of a switch's scope have each status that is no end."""
        table, (word, _, name) = executions.c, scope.partition(":")
        query = (
            sa.select(table.status, sa.func.count().label("executions"))
            .where(sa.text(IS_NOT_DONE), table.status.in_(_UNENDED))
            .group_by(table.status)
        )
        if word == "tenant":
            query = query.where(table.tenant_id == name)
        elif word == "action_type":
            query = query.where(table.action_type == name)
        elif word == "connector":
            query = query.where(table.tool_name.startswith(f"{name}.", autoescape=True))
        with self._engine.connect() as connection:
            return {row.status: row.executions for row in connection.execute(query)}

    def knows_tenant(self, tenant_id: str) -> bool:
        """True if there is any execution of this tenant."""
        query = sa.select(executions.c.action_intent_id).where(executions.c.tenant_id == tenant_id).limit(1)
        with self._engine.connect() as connection:
            return connection.execute(query).first() is not None

    def entries(self, tenant_id: str, action_intent_id: str) -> list[StoredEntry]:
        """All ledger entries of an execution in the order of the ledger."""
        table = entries.c
        query = (
            sa.select(table.bundle).where(table.action_intent_id == action_intent_id, table.tenant_id == tenant_id).order_by(table.number)
        )
        with self._engine.connect() as connection:
            return [one for row in connection.execute(query) for one in unbundled(row.bundle)]

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
        # Two or three bundles fill a page, not one and a half. Counts only for a new file.
        connection.execute("PRAGMA page_size=8192")
        # WAL: readers never wait for the fold. NORMAL: a power cut may cost the last batches, whose offsets go with them.
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")

    sa.event.listen(engine, "connect", configure)
    return engine


def _row(row: Any) -> ExecutionRow:
    return ExecutionRow(**row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name
