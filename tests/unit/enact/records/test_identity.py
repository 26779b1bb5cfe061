"""An intent that cannot be decoded can still be refused by name, if the name can be read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enact.canonical import canonical_json
from enact.records.codec import encode
from enact.records.identity import IntentIdentity, identity_of
from tests.unit.enact.records.factories import an_intent, an_intent_tree

KNOWN = IntentIdentity(
    tenant_id="acme", action_intent_id="int-1", account_id="acc-1", action_type="CREATE_CRM_TASK", expires_at_epoch=1_790_000_000
)


def test_both_forms_of_an_intent_with_bad_parameters_name_it() -> None:
    for value in (encode(an_intent(parameters="{")), canonical_json(an_intent_tree(parameters="{"))):
        assert identity_of(value) == KNOWN


def test_fields_that_are_absent_or_of_a_wrong_type_are_none() -> None:
    identity = identity_of(b'{"tenant_id":"acme","action_intent_id":7,"account_id":"\\ud800","expires_at_epoch":true}')

    assert identity == IntentIdentity(tenant_id="acme", action_intent_id=None, account_id=None, action_type=None, expires_at_epoch=None)


@pytest.mark.parametrize(
    "value", [b"", b"\x00abc", b"x", b"{", b'{"a":' * 100_000, b"\xc3\x01", encode(an_intent())[:-1], b'{"a":' + b"9" * 5000 + b"}"]
)
def test_what_cannot_be_read_has_no_identity(value: bytes) -> None:
    assert identity_of(value) is None


@given(st.binary(max_size=50))
def test_no_bytes_make_it_raise(value: bytes) -> None:
    assert identity_of(value) is None or value.startswith((b"{", b"\xc3"))
