import pytest

from enact.by_identity import ByIdentity


class Odd:
    """Equal to everything, and without a hash."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


def test_each_object_has_its_own_value_which_is_worked_out_once() -> None:
    asked: list[Odd] = []

    def position(key: Odd) -> int:
        asked.append(key)
        return len(asked)

    kept, one, other = ByIdentity(position), Odd(), Odd()

    assert [kept(one), kept(other), kept(one), kept(other)] == [1, 2, 1, 2]
    assert len(asked) == 2


def test_an_object_that_is_gone_leaves_no_value_to_the_next_at_its_place() -> None:
    first: ByIdentity[list[int], int] = ByIdentity(lambda key: key[0])

    assert [first([number]) for number in range(1000)] == list(range(1000))


def test_beyond_the_bound_all_is_worked_out_anew() -> None:
    asked: list[int] = []

    def first(key: list[int]) -> int:
        asked.append(key[0])
        return key[0]

    kept, keys = ByIdentity(first, max_kept=2), [[0], [1], [2]]

    for key in (*keys, keys[2], keys[0]):
        assert kept(key) == key[0]

    assert asked == [0, 1, 2, 0]


def test_a_failure_is_not_kept() -> None:
    answers = iter([0, 1])
    kept: ByIdentity[Odd, int] = ByIdentity(lambda _: 1 // next(answers))
    key = Odd()

    with pytest.raises(ZeroDivisionError):
        kept(key)

    assert kept(key) == 1
