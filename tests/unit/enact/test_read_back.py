from enact.read_back import MAX_KEPT_BYTES, ReadBack


def test_what_was_kept_is_found_once_by_equal_bytes() -> None:
    appended: ReadBack[str] = ReadBack()

    appended.keep(b"value", "record")

    assert appended.take(b"other") is None
    assert appended.take(bytes(bytearray(b"value"))) == "record"
    assert appended.take(b"value") is None


def test_the_oldest_is_forgotten_where_there_is_no_room() -> None:
    appended: ReadBack[int] = ReadBack(max_kept=2)

    for number in range(3):
        appended.keep(b"%d" % number, number)

    assert [appended.take(b"%d" % number) for number in range(3)] == [None, 1, 2]


def test_what_is_large_is_not_kept() -> None:
    appended: ReadBack[str] = ReadBack()

    appended.keep(b"x" * (MAX_KEPT_BYTES + 1), "large")
    appended.keep(b"x" * MAX_KEPT_BYTES, "largest")

    assert appended.take(b"x" * (MAX_KEPT_BYTES + 1)) is None
    assert appended.take(b"x" * MAX_KEPT_BYTES) == "largest"
