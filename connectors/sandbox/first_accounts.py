"""What is there before anybody calls: one account for each tenant that is named, so that there is something to be about."""

from collections.abc import Iterable
from typing import Final

from connectors.sandbox.crm.objects import TYPES, checked, record_id
from connectors.sandbox.store import Store

FIRST_NUMBER: Final = 72
"""Gives the first one the id 001Sb000000001A, which the examples name; later objects count on from the last."""


def add_first_accounts(store: Store, tenants: Iterable[str]) -> None:
    """Add them to a memory that holds nothing yet, and nothing to any other."""
    if store.read("SELECT 1 FROM objects LIMIT 1"):
        return
    account = TYPES["Account"]
    for tenant in tenants:
        while (number := store.next_number()) < FIRST_NUMBER:
            pass
        fields = checked(account, {"Name": tenant.capitalize()}, is_new=True)
        new_id = record_id(account, number)
        store.insert(number=number, id=new_id, tenant=tenant, object_type=account.name, external_id=None, fields=fields)
