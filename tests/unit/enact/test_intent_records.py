import pytest

from enact.intent_records import APPROVED_AT, approved_at, with_approved_at


@pytest.mark.parametrize("text", [b"", b"-1", b"1.5", b"\xff", b"soon", b"9" * 5000])
def test_a_beginning_that_is_no_time_counts_as_none(text: bytes) -> None:
    headers = ((APPROVED_AT, text),)

    assert approved_at(headers) is None
    assert with_approved_at(headers, 7) == (*headers, (APPROVED_AT, b"7"))


def test_a_beginning_is_kept_from_the_first_hop_on() -> None:
    headers = with_approved_at((), 1_790_000_000_000)

    assert approved_at(headers) == 1_790_000_000_000
    assert with_approved_at(headers, 7) == headers
