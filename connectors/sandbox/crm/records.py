"""Create, update, upsert, read, delete and query, on the store, for one tenant at a time."""

import datetime as dt
import sqlite3
from typing import Any, Final

from connectors.sandbox.crm.objects import SYSTEM_FIELDS, ObjectType, SalesforceError, checked, record_id
from connectors.sandbox.crm.soql import Query
from connectors.sandbox.store import Receipt, Store, StoredObject

MAX_ROWS: Final = 2_000


class Records:
    """What the CRM does with objects. Every change is logged as an application of its receipt."""

    def __init__(self, store: Store, version: str = "60.0") -> None:
        self._store = store
        self._version = version

    def create(self, receipt: Receipt, tenant: str, kind: ObjectType, given: Any) -> str:
        """Create; returns the id. Raises: SalesforceError."""
        fields = checked(kind, given, is_new=True)
        number = self._store.next_number()
        new_id = record_id(kind, number)
        external_id = _external_id(kind, fields)
        try:
            self._store.insert(number=number, id=new_id, tenant=tenant, object_type=kind.name, external_id=external_id, fields=fields)
        except sqlite3.IntegrityError as error:
            raise self._duplicate(tenant, kind, external_id) from error
        self._store.add_application(receipt, object_type=kind.name, object_id=new_id, operation="create")
        return new_id

    def update(self, receipt: Receipt, tenant: str, kind: ObjectType, found: StoredObject, given: Any) -> None:
        """Change fields. An update that changes nothing is applied all the same. Raises: SalesforceError."""
        fields = {**found.fields, **checked(kind, given, is_new=False)}
        external_id = _external_id(kind, fields)
        try:
            self._store.update(found.id, external_id=external_id, fields=fields)
        except sqlite3.IntegrityError as error:
            raise self._duplicate(tenant, kind, external_id) from error
        self._store.add_application(receipt, object_type=kind.name, object_id=found.id, operation="update")

    def upsert(self, receipt: Receipt, tenant: str, kind: ObjectType, key: tuple[str, str], given: Any) -> tuple[str, bool]:
        """Create or update by external id (field, value); returns (id, created). Raises: SalesforceError."""
        field, value = key
        found = self.by_external_id(tenant, kind, field, value)
        if isinstance(given, dict) and field in given:
            raise SalesforceError(400, "INVALID_FIELD", f"The {field} field should not be specified in the sobject data.", (field,))
        if found is not None:
            self.update(receipt, tenant, kind, found, given)
            return found.id, False
        with_key = {**given, field: value} if isinstance(given, dict) else given
        return self.create(receipt, tenant, kind, with_key), True

    def delete(self, receipt: Receipt, kind: ObjectType, found: StoredObject) -> None:
        """Put into the recycle bin."""
        self._store.update(found.id, external_id=found.external_id, fields=found.fields, is_deleted=True)
        self._store.add_application(receipt, object_type=kind.name, object_id=found.id, operation="delete")

    def by_id(self, tenant: str, kind: ObjectType, given_id: str) -> StoredObject:
        """One object. Raises: SalesforceError NOT_FOUND or ENTITY_IS_DELETED."""
        found = self._store.find(tenant, kind.name, id=given_id)
        if found is None and len(given_id) == 15:
            rows = self._store.read("SELECT id FROM objects WHERE id LIKE ? AND tenant = ?", (f"{given_id}___", tenant))
            found = self._store.find(tenant, kind.name, id=rows[0][0]) if rows else None
        if found is None:
            raise SalesforceError(404, "NOT_FOUND", "The requested resource does not exist")
        if found.is_deleted:
            raise SalesforceError(404, "ENTITY_IS_DELETED", "entity is deleted", ())
        return found

    def by_external_id(self, tenant: str, kind: ObjectType, field: str, value: str) -> StoredObject | None:
        """One object by external id, or None. Raises: SalesforceError for a field that is no external id."""
        known = kind.fields.get(field)
        if known is None or not known.is_external_id:
            raise SalesforceError(404, "NOT_FOUND", f"Provided external ID field does not exist or is not accessible: {field}")
        if not value or len(value) > known.length:
            raise SalesforceError(400, "INVALID_FIELD", f"{field}: value not of required length", (field,))
        return self._store.find(tenant, kind.name, external_id=value)

    def shown(self, kind: ObjectType, found: StoredObject, fields: tuple[str, ...] | None = None) -> dict[str, Any]:
        """An object as an answer shows it."""
        values = self._values(kind, found)
        url = f"/services/data/v{self._version}/sobjects/{kind.name}/{found.id}"
        return {"attributes": {"type": kind.name, "url": url}, **{name: values[name] for name in fields or values}}

    def query(self, tenant: str, query: Query) -> dict[str, Any]:
        """A query's answer, in one page."""
        found = [(item, self._values(query.kind, item)) for item in self._candidates(tenant, query)]
        rows = [(item, values) for item, values in found if all(values[name] == value for name, value in query.conditions)]
        if query.order_by is not None:
            name, is_descending = query.order_by
            rows.sort(key=lambda row: (row[1][name] is not None, str(row[1][name])), reverse=is_descending)
        total = len(rows)
        if not query.fields:
            return {"totalSize": total, "done": True, "records": []}
        rows = rows[: min(query.limit if query.limit is not None else MAX_ROWS, MAX_ROWS)]
        return {"totalSize": len(rows), "done": True, "records": [self.shown(query.kind, item, query.fields) for item, _ in rows]}

    def _candidates(self, tenant: str, query: Query) -> list[StoredObject]:
        for name, value in query.conditions:
            if name == query.kind.external_id_field and isinstance(value, str):
                found = self._store.find(tenant, query.kind.name, external_id=value)
                return [found] if found is not None else []
        return self._store.all_of(tenant, query.kind.name)

    def _values(self, kind: ObjectType, found: StoredObject) -> dict[str, Any]:
        system = (found.id, found.is_deleted, _when(found.created_ms), _when(found.modified_ms))
        return {**dict(zip(SYSTEM_FIELDS, system, strict=True)), **{name: found.fields.get(name) for name in kind.fields}}

    def _duplicate(self, tenant: str, kind: ObjectType, external_id: str | None) -> SalesforceError:
        other = self._store.find(tenant, kind.name, external_id=external_id) if external_id is not None else None
        owner = f" on record with id: {other.id}" if other is not None else ""
        return SalesforceError(400, "DUPLICATE_VALUE", f"duplicate value found: {kind.external_id_field} duplicates value{owner}", ())


def _external_id(kind: ObjectType, fields: dict[str, Any]) -> str | None:
    value = fields.get(kind.external_id_field or "")
    return value if isinstance(value, str) and value else None


def _when(at_ms: int) -> str:
    return dt.datetime.fromtimestamp(at_ms / 1000, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
