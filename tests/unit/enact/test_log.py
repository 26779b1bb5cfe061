"""A log line holds what is allowed, and nothing of what a record or a credential says."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from enact.errors import ErrorCode, ValidationError
from enact.log import REPEATED_EVERY_S, JsonLines, Repeats, configure, get_logger


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root, ours, raises = logging.getLogger(), logging.getLogger("enact"), logging.raiseExceptions
    before = (root.level, ours.level)
    made = io.StringIO()
    configure("debug", made)
    yield made
    for handler in [one for one in root.handlers if isinstance(one.formatter, JsonLines)]:
        root.removeHandler(handler)
    root.setLevel(before[0])
    ours.setLevel(before[1])
    logging.raiseExceptions = raises


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_says_when_who_what_and_where(stream: io.StringIO) -> None:
    get_logger("invocation").info("attempt_claimed", action_intent_id="a-1", partition=3, offset=17)

    (line,) = lines(stream)
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "info",
        "stage": "invocation",
        "action": "attempt_claimed",
        "action_intent_id": "a-1",
        "partition": 3,
        "offset": 17,
    }


def test_a_field_that_is_not_allowed_leaves_only_its_name(stream: io.StringIO) -> None:
    get_logger("api").info("x", password="hunter2", partition=1)  # type: ignore[call-arg]

    assert "hunter2" not in stream.getvalue()
    assert lines(stream)[0]["dropped_fields"] == ["password"]
    assert lines(stream)[0]["partition"] == 1


def test_our_errors_are_told_with_code_and_sentence_foreign_ones_without_their_text(stream: io.StringIO) -> None:
    logger = get_logger("validation")
    try:
        try:
            raise ValueError("card 4111-1111 is no number")
        except ValueError as error:
            raise ValidationError("The field `amount` is a string.", code=ErrorCode.PARAMETERS_INVALID) from error
    except ValidationError as error:
        logger.warning("refused", error=error)
        logger.critical("broken", error=error.__cause__)

    ours, foreign = lines(stream)
    assert (ours["error"], ours["error_code"], ours["error_message"], ours["cause"]) == (
        "ValidationError",
        "PARAMETERS_INVALID",
        "The field `amount` is a string.",
        "ValueError",
    )
    assert foreign["error"] == "ValueError"
    assert "test_log.py" in foreign["stack"][0]
    assert "4111" not in stream.getvalue()


def test_levels_below_the_configured_one_are_not_written(stream: io.StringIO) -> None:
    configure("warning", stream)

    get_logger("api").info("quiet")
    get_logger("api").critical("loud")

    assert [(line["level"], line["action"]) for line in lines(stream)] == [("critical", "loud")]


def test_foreign_libraries_are_heard_from_warning_on_and_without_their_values(stream: io.StringIO) -> None:
    logging.getLogger("aiohttp.server").info("not written")
    logging.getLogger("aiohttp.server").warning("body was %s", "4111-1111")
    logging.getLogger("librdkafka").error("FAIL [thrd:127.0.0.1:1]: Connection refused")

    found = lines(stream)
    assert [(line["library"], line["level"], line.get("text")) for line in found] == [
        ("aiohttp.server", "warning", None),
        ("librdkafka", "warning", "FAIL [thrd:127.0.0.1:1]: Connection refused"),
    ]
    assert "4111" not in stream.getvalue()


def test_long_texts_are_cut_and_every_record_is_one_line(stream: io.StringIO) -> None:
    get_logger("api").info("x", reason="a\nb" * 5000)

    (line,) = lines(stream)
    assert len(line["reason"]) == 1000


def said_at(at_s: float, text: str, library: str = "librdkafka") -> logging.LogRecord:
    record = logging.LogRecord(library, logging.ERROR, "client.py", 1, text, (), None)
    record.created = at_s
    return record


def test_what_a_healing_library_repeats_is_written_once_in_a_while_with_the_number_left_out() -> None:
    repeats, start_s = Repeats(), 1_790_000_000.0
    records = [said_at(start_s + n / 10, f"FAIL [enact#producer-1] [thrd:b]: refused (after {n}ms)") for n in range(250)]

    written = [record for record in records if repeats.filter(record)]

    assert [round(record.created - start_s) for record in written] == [0, 10, 20]
    assert [getattr(record, "repeated", 0) for record in written] == [0, 99, 99]
    assert REPEATED_EVERY_S == 10
    assert json.loads(JsonLines().format(written[1]))["repeated"] == 99


def test_another_client_another_text_and_another_library_are_no_repetition() -> None:
    repeats = Repeats()
    texts = ["FAIL [enact#producer-1] [t]: refused", "FAIL [enact#consumer-2] [t]: refused", "FAIL [enact#producer-1] [t]: timed out"]

    assert all(repeats.filter(said_at(5.0, text)) for text in texts)
    assert all(repeats.filter(said_at(5.0, "slow", "asyncio")) for _ in range(3))


def test_a_clock_that_was_set_back_silences_nobody() -> None:
    repeats = Repeats()

    assert repeats.filter(said_at(1000.0, "FAIL [c] x"))
    assert repeats.filter(said_at(10.0, "FAIL [c] x"))
