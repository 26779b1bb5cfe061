"""The tables of the read model: one row for each execution, every ledger entry as it was read, and offsets."""

from typing import Any

import sqlalchemy as sa

SCHEMA_VERSION = "1"
"""Raise it with every change here or in the fold: a model of another version is dropped and built again."""

metadata = sa.MetaData()


class RawBytes(sa.LargeBinary):
    """Bytes handed to the driver as they are: both drivers take `bytes`, a wrapper costs more than the fold of an entry."""

    def bind_processor(self, dialect: Any) -> None:
        """Nothing to do."""


executions = sa.Table(
    "executions",
    metadata,
    sa.Column("action_intent_id", sa.String(128), primary_key=True),
    sa.Column("tenant_id", sa.String(128), primary_key=True),
    sa.Column("account_id", sa.String(128), nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("generation", sa.BigInteger, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
    sa.Column("started_at", sa.BigInteger),
    sa.Column("completed_at", sa.BigInteger),
    sa.Column("first_ms", sa.BigInteger),
    sa.Column("claims", sa.Integer, nullable=False),
    sa.Column("releases", sa.Integer, nullable=False),
    sa.Column("external_object_refs", sa.Text, nullable=False),
    sa.Column("error_category", sa.String(32)),
    sa.Column("error_class", sa.String(32)),
    sa.Column("error_code", sa.String(64)),
    sa.Column("error_message", sa.Text),
    sa.Column("action_type", sa.String(256), nullable=False),
    sa.Column("tool_name", sa.String(256), nullable=False),
    sa.Column("registry_version", sa.BigInteger),
    sa.Column("compensation_status", sa.String(16), nullable=False),
    sa.Column("compensation_version", sa.BigInteger, nullable=False),
    sa.Column("execution_trace_id", sa.String(64), nullable=False),
    sa.Index("executions_by_account", "tenant_id", "account_id", "created_at", "action_intent_id"),
    sqlite_with_rowid=False,
)

entries = sa.Table(
    "entries",
    metadata,
    # The id comes first: what belongs together lies together, whatever the order of arrival.
    sa.Column("action_intent_id", sa.String(128), primary_key=True),
    sa.Column("tenant_id", sa.String(128), primary_key=True),
    sa.Column("entry_id", sa.String(64), primary_key=True),
    # All entries of an execution lie in one ledger partition, so the offset is their order.
    sa.Column("ledger_offset", sa.BigInteger, nullable=False),
    sa.Column("value", RawBytes, nullable=False),
    sqlite_with_rowid=False,
)

offsets = sa.Table(
    "offsets",
    metadata,
    sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("next_offset", sa.BigInteger, nullable=False),
)

facts = sa.Table(
    "facts",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
