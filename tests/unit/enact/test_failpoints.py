"""Failpoints cost nothing and do nothing until a test hooks them."""

import pytest

from enact.failpoints import Failpoint, hit, hooked


def test_passing_a_boundary_does_nothing() -> None:
    for failpoint in Failpoint:
        hit(failpoint)


def test_a_hook_sees_each_boundary_and_may_raise_until_its_block_ends() -> None:
    seen: list[Failpoint] = []

    def crash(_failpoint: Failpoint) -> None:
        raise ZeroDivisionError

    with hooked(seen.append):
        hit(Failpoint.AFTER_FACT)
    with pytest.raises(ZeroDivisionError), hooked(crash):
        hit(Failpoint.BEFORE_CLAIM)
    hit(Failpoint.AFTER_FACT)

    assert seen == [Failpoint.AFTER_FACT]
