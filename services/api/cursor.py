"""Where a page ended, as an opaque text. Bound to the question: a cursor of another tenant, account or filter is refused.

It names the last execution of the page by what never changes (when it was first heard of, and its id), so executions that come
in between pages move nothing: none is shown twice, and the next page begins where this one ended. It permits nothing: whoever makes
one up could only name a place in a list that the caller may read anyway.
"""

import base64
import hashlib
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from enact.ids import key_of
from enact.records import Status

_CHECK_BYTES = 12
_MAX_MS = 2**53


class Place(Struct, frozen=True, array_like=True):
    """The last execution of a page: when it was first heard of (epoch ms), and its id."""

    created_at: int
    action_intent_id: str


class Question(Struct, frozen=True):
    """What a list was asked for."""

    tenant_id: str
    account_id: str
    statuses: Sequence[Status]


def cursor_text(question: Question, place: Place) -> str:
    """The text that continues this list behind `place`."""
    named = msgspec.msgpack.encode(place)
    return base64.urlsafe_b64encode(_check(question, named) + named).decode().rstrip("=")


def place_in(question: Question, text: str) -> Place | None:
    """The place a cursor names; None if it was not given for this question."""
    try:
        told = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        place = msgspec.msgpack.decode(told[_CHECK_BYTES:], type=Place)
    except (ValueError, msgspec.MsgspecError):
        return None
    is_ours = 0 <= place.created_at <= _MAX_MS and cursor_text(question, place) == text
    return place if is_ours else None


def _check(question: Question, named: bytes) -> bytes:
    statuses = ",".join(sorted(question.statuses))
    about = key_of("cursor", question.tenant_id, question.account_id, statuses)
    return hashlib.sha256(about + named).digest()[:_CHECK_BYTES]
