"""Which requests a fault meets: by API, by client, with a share, for a while, the same from the same seed."""

import pytest

from tests.chaos.proxy.faults import Fault, Faults, Harm
from tests.chaos.proxy.frames import Api, Request, correlation_of, framed, request_of

PRODUCE = Request(api=Api.PRODUCE, version=9, correlation=1, client_id="enact.invocation.0")
FETCH = Request(api=Api.FETCH, version=12, correlation=2, client_id="enact.validation.0")


class Seconds:
    """A clock that stands still until moved."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_a_fault_meets_its_apis_and_its_clients_and_nothing_else() -> None:
    faults = Faults(1, Seconds())

    faults.add(Fault(harm=Harm.CUT_BEFORE, for_s=5, apis=frozenset({Api.PRODUCE}), client="enact.invocation.*"))

    assert faults.meeting(PRODUCE) is not None
    assert faults.meeting(FETCH) is None
    assert faults.meeting(Request(api=Api.PRODUCE, version=9, correlation=3, client_id="enact.validation.0")) is None
    assert faults.met == {("cut_before", "produce"): 1}


def test_a_fault_without_apis_meets_all_of_them_until_its_time_is_over() -> None:
    clock = Seconds()
    faults = Faults(1, clock)
    faults.add(Fault(harm=Harm.DELAY, for_s=5, delay_ms=10))

    clock.now_s += 4.9
    meets_before = faults.meeting(FETCH) is not None
    clock.now_s += 0.1

    assert meets_before
    assert faults.meeting(FETCH) is None


def test_a_share_is_met_from_the_seed_alone() -> None:
    def met(seed: int) -> list[bool]:
        faults = Faults(seed, Seconds())
        faults.add(Fault(harm=Harm.DELAY, for_s=5, share=0.3))
        return [faults.meeting(FETCH) is not None for _ in range(200)]

    assert met(7) == met(7)
    assert met(7) != met(8)
    assert 30 < sum(met(7)) < 90


def test_healing_lets_everything_pass() -> None:
    faults = Faults(1, Seconds())
    faults.add(Fault(harm=Harm.HALF_OPEN, for_s=50))

    faults.clear()

    assert faults.meeting(PRODUCE) is None


def test_a_request_s_header_is_read_whatever_follows_it() -> None:
    body = b"\x00\x08\x00\x09\x00\x00\x01\x02\x00\x05enact" + b"\x00rest of the request"

    request = request_of(body)

    assert request == Request(api=Api.OFFSET_COMMIT, version=9, correlation=258, client_id="enact")
    assert request.api_name == "offset_commit"
    assert framed(body)[:4] == len(body).to_bytes(4, "big")
    assert correlation_of(b"\x00\x00\x01\x02more") == 258


@pytest.mark.parametrize("body", [b"", b"\x00\x00\x00\x09\x00\x00", b"\x00\x00\x00\x09\x00\x00\x00\x01\x00\x7fshort"])
def test_what_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="bytes"):
        request_of(body)


def test_a_client_without_an_id_and_an_api_without_a_name_are_read() -> None:
    request = request_of(b"\x00\x63\x00\x00\x00\x00\x00\x07\xff\xff")

    assert (request.client_id, request.api_name) == ("", "99")
