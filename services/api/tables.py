"""The tables of the read model: one row for each execution, every ledger entry as it was read, and offsets."""

from typing import Any

import sqlalchemy as sa

SCHEMA_VERSION = "4"
"""Raise it with every change here or in the fold: a model of another version is dropped and built again."""

metadata = sa.MetaData()


class RawBytes(sa.LargeBinary):
    """Bytes handed to the driver as they are: both drivers take `bytes`, a wrapper costs more than the fold of an entry."""

    def bind_processor(self, dialect: Any) -> None:
        """Nothing to do."""


IS_NOT_DONE = "status <> 'SUCCEEDED'"
"""In these words in an index and in a question, so that the database sees that they fit: it compares texts, not parameters."""

executions = sa.Table(
    "executions",
    metadata,
    sa.Column("action_intent_id", sa.String(128), primary_key=True),
    sa.Column("tenant_id", sa.String(128), primary_key=True),
    sa.Column("account_id", sa.Text, nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("generation", sa.BigInteger, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
    sa.Column("expires_at", sa.BigInteger),
    sa.Column("started_at", sa.BigInteger),
    sa.Column("completed_at", sa.BigInteger),
    sa.Column("claims", sa.Integer, nullable=False),
    sa.Column("releases", sa.Integer, nullable=False),
    sa.Column("attempt_code", sa.Text),
    sa.Column("attempt_version", sa.BigInteger, nullable=False),
    sa.Column("external_object_refs", sa.Text, nullable=False),
    sa.Column("error_category", sa.String(32)),
    sa.Column("error_class", sa.String(32)),
    sa.Column("error_code", sa.Text),
    sa.Column("error_message", sa.Text),
    sa.Column("action_type", sa.Text, nullable=False),
    sa.Column("tool_name", sa.Text, nullable=False),
    sa.Column("registry_version", sa.BigInteger),
    sa.Column("compensation_status", sa.String(16), nullable=False),
    sa.Column("compensation_version", sa.BigInteger, nullable=False),
    sa.Column("execution_trace_id", sa.Text, nullable=False),
    sa.Index("executions_by_account", "tenant_id", "account_id", "created_at", "action_intent_id"),
    # Who asks for what is in doubt must not read the million that succeeded. A success of one batch never enters it.
    sa.Index(
        "executions_not_done",
        "tenant_id",
        "account_id",
        "created_at",
        "action_intent_id",
        "status",
        sqlite_where=sa.text(IS_NOT_DONE),
        postgresql_where=sa.text(IS_NOT_DONE),
    ),
    sqlite_with_rowid=False,
)
"""Columns as the fields of `services.api.fold.ExecutionRow`, in the same order."""

entries = sa.Table(
    "entries",
    metadata,
    # In the order of arrival: the bulk of the data is appended, only the index takes its place among the ids.
    sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    # An id, or the scope of a switch, which is an id and a word.
    sa.Column("action_intent_id", sa.String(160), nullable=False),
    sa.Column("tenant_id", sa.String(128), nullable=False),
    sa.Column("bundle", RawBytes, nullable=False),
    sa.Index("entries_by_execution", "action_intent_id", "tenant_id"),
)
"""What one batch brought of one execution is one row: `services.api.bundles`."""

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
