"""Draws who writes and who reads each topic: one line for each topic, one column for each party."""

from collections.abc import Sequence

from topology.stages import OUTSIDERS, STAGE_NAMES, UPSTREAM, hyphenated
from topology.svg import FAINT, INK, SOFT, STAGE_LINE, TOPIC_LINE, Canvas
from topology.topic import Topic
from topology.topics import TOPICS

LABEL_WIDTH = 176
ROW_HEIGHT = 26
RADIUS = 6


def columns() -> tuple[str, ...]:
    """The parties from left to right: upstream, the stages in order, then everybody else outside."""
    return (UPSTREAM, *STAGE_NAMES, *(party for party in OUTSIDERS if party != UPSTREAM))


def draw_matrix(canvas: Canvas) -> None:
    """Put the panel beneath what is already on the canvas."""
    parties = columns()
    top = canvas.height + 54
    width = (canvas.width - LABEL_WIDTH - 20) // len(parties)
    place = {party: LABEL_WIDTH + index * width + width // 2 for index, party in enumerate(parties)}
    topics = tuple(TOPICS.values())
    for party, x in place.items():
        is_stage = party in STAGE_NAMES
        canvas.path((x, top + 8), (x, top + 20 + ROW_HEIGHT * len(topics)), tip=False, colour=FAINT)
        canvas.label((x, top), hyphenated(party), size=10, colour=STAGE_LINE if is_stage else SOFT, is_bold=is_stage)
    for index, topic in enumerate(topics):
        _draw_row(canvas, topic, place, top + 28 + index * ROW_HEIGHT)
    _draw_legend(canvas, canvas.height + 24)


def _draw_row(canvas: Canvas, topic: Topic, place: dict[str, int], y: int) -> None:
    canvas.label((LABEL_WIDTH - 10, y + 4), topic.short, anchor="end", size=11, is_bold=topic.is_decision_log)
    spots = [place[party] for party in {*topic.writers, *topic.readers}]
    canvas.path((min(spots), y), (max(spots), y), tip=False, colour=TOPIC_LINE)
    for party in _in_order(topic, place):
        _draw_mark(canvas, place[party], y, writes=party in topic.writers, reads=party in topic.readers)


def _in_order(topic: Topic, place: dict[str, int]) -> Sequence[str]:
    return [party for party in place if party in topic.writers or party in topic.readers]


def _draw_mark(canvas: Canvas, x: int, y: int, *, writes: bool, reads: bool) -> None:
    canvas.dot((x, y), RADIUS, fill=TOPIC_LINE if writes and not reads else "#ffffff", line=TOPIC_LINE if writes else STAGE_LINE)
    if reads and writes:
        canvas.dot((x, y), RADIUS - 4, fill=TOPIC_LINE, line=TOPIC_LINE)


def _draw_legend(canvas: Canvas, y: int) -> None:
    x = LABEL_WIDTH
    for writes, reads, words in ((True, False, "writes"), (False, True, "reads"), (True, True, "writes and reads")):
        _draw_mark(canvas, x, y - 4, writes=writes, reads=reads)
        canvas.label((x + 12, y), words, anchor="start", size=11, colour=INK)
        x += 90
    canvas.label((x + 50, y), "bold: a decision log", anchor="start", size=11, colour=SOFT)
