"""Draws the way of an intent: the chain of stages, their logs, what comes back, and the ledger everybody writes."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from topology.stages import STAGES, UPSTREAM, Stage, hyphenated
from topology.svg import FAINT, LOG_FILL, OUTSIDE_FILL, SOFT, STAGE_FILL, STAGE_LINE, TOPIC_FILL, TOPIC_LINE, Canvas, Point
from topology.topic import Partitions
from topology.topics import TOPICS

LEDGER = "ledger"
BOX: Point = (114, 52)
PILL: Point = (112, 26)
GAP = 17
STEP = BOX[0] + PILL[0] + 2 * GAP
LEFT = 160
CHAIN_Y = 150
ARC_TOP = 28
ARC_STEP = 32
LOG_Y = CHAIN_Y + BOX[1] + 30
SIDE_STEP = 34


@dataclass(frozen=True, slots=True)
class Link:
    """Two stages of the chain that meet in one topic."""

    writer: Stage
    topic: str
    reader: Stage


def chain(stages: Sequence[Stage]) -> tuple[Link, ...]:
    """Each stage with the next one, as long as they meet in a topic that is not the ledger."""
    links = []
    for writer, reader in pairwise(stages):
        meeting = [topic for topic in writer.writes if topic in reader.reads and topic != LEDGER]
        if not meeting:
            break
        links.append(Link(writer, meeting[0], reader))
    return tuple(links)


def draw_flow(canvas: Canvas) -> None:
    """Put the whole panel on the canvas."""
    stages = tuple(STAGES.values())
    links = chain(stages)
    in_chain = (links[0].writer, *(link.reader for link in links))
    place = {stage.name: LEFT + index * STEP for index, stage in enumerate(in_chain)}
    _draw_chain(canvas, links, in_chain, place)
    _draw_returns(canvas, links, in_chain, place)
    bar_y = _draw_beneath(canvas, in_chain, {link.topic for link in links}, place)
    _draw_ledger(canvas, in_chain, place, bar_y)
    _draw_readers(canvas, [stage for stage in stages if stage not in in_chain], bar_y)


def _stage(canvas: Canvas, stage: Stage, at: Point) -> None:
    canvas.box(at, BOX, fill=STAGE_FILL, line=STAGE_LINE)
    middle = at[0] + BOX[0] // 2
    canvas.label((middle, at[1] + 22), hyphenated(stage.name), is_bold=True)
    tables = [table for table in stage.tables if TOPICS[table].partitions is Partitions.ONE]
    if tables:
        canvas.label((middle, at[1] + 38), "sees " + ", ".join(tables), size=9, colour=SOFT)


def _pill(canvas: Canvas, topic: str, at: Point, *, width: int = PILL[0]) -> None:
    fill = LOG_FILL if topic in TOPICS and TOPICS[topic].is_decision_log else TOPIC_FILL
    canvas.box(at, (width, PILL[1]), fill=fill, line=TOPIC_LINE, corner=13)
    canvas.label((at[0] + width // 2, at[1] + 17), topic, size=11)


def _draw_chain(canvas: Canvas, links: Sequence[Link], in_chain: Sequence[Stage], place: dict[str, int]) -> None:
    middle_y = CHAIN_Y + BOX[1] // 2
    first = in_chain[0]
    start = next(topic for topic in first.reads if UPSTREAM in TOPICS[topic].writers)
    _pill(canvas, start, (LEFT - GAP - PILL[0], middle_y - PILL[1] // 2))
    canvas.label((LEFT - GAP - PILL[0] // 2, middle_y - 26), f"{UPSTREAM}, enact submit", size=11, colour=SOFT)
    canvas.path((LEFT - GAP - PILL[0] // 2, middle_y - 22), (LEFT - GAP - PILL[0] // 2, middle_y - PILL[1] // 2))
    canvas.path((LEFT - GAP, middle_y), (LEFT, middle_y))
    for link in links:
        x = place[link.writer.name] + BOX[0]
        canvas.path((x, middle_y), (x + GAP, middle_y))
        _pill(canvas, link.topic, (x + GAP, middle_y - PILL[1] // 2))
        canvas.path((x + GAP + PILL[0], middle_y), (x + 2 * GAP + PILL[0], middle_y))
    for stage in in_chain:
        _stage(canvas, stage, (place[stage.name], CHAIN_Y))


def _draw_returns(canvas: Canvas, links: Sequence[Link], in_chain: Sequence[Stage], place: dict[str, int]) -> None:
    """Arcs above the chain: what comes back to an earlier stage, and what leaps over one."""
    position = {stage.name: index for index, stage in enumerate(in_chain)}
    forward = {(link.writer.name, link.topic) for link in links}
    arcs = [
        (writer, topic, reader)
        for writer in in_chain
        for topic in writer.writes
        for reader in in_chain
        if topic in reader.reads
        and (writer.name, topic) not in forward
        and topic != LEDGER
        and position[writer.name] != position[reader.name]
    ]
    for index, (writer, topic, reader) in enumerate(arcs):
        y = ARC_TOP + index * ARC_STEP
        from_x, to_x = place[writer.name] + BOX[0] // 2 + 20, place[reader.name] + BOX[0] // 2 - 20
        canvas.path((from_x, CHAIN_Y), (from_x, y), (to_x, y), (to_x, CHAIN_Y))
        _pill(canvas, topic, ((from_x + to_x - PILL[0]) // 2, y - PILL[1] // 2))


def _draw_beneath(canvas: Canvas, in_chain: Sequence[Stage], drawn: set[str], place: dict[str, int]) -> int:
    """Under each stage its log and what leaves the chain there. Returns where the ledger may lie."""
    bottom = LOG_Y
    for stage in in_chain:
        x, y = place[stage.name], LOG_Y
        leaves = [topic for topic in stage.writes if topic not in {*drawn, stage.log, LEDGER} and topic not in stage.tables]
        outward = [topic for topic in leaves if not any(topic in other.reads for other in in_chain)]
        if stage.log is not None:
            _pill(canvas, stage.log, (x, y), width=BOX[0] - 22)
            canvas.path((x + 46, CHAIN_Y + BOX[1]), (x + 46, y), is_both_ways=True)
            canvas.label((x + 52, y - 11), "reads back", anchor="start", size=9, colour=SOFT)
            y += SIDE_STEP
        for topic in outward:
            canvas.path((x - 10, CHAIN_Y + BOX[1] - 8), (x - 10, y + 13), (x, y + 13), tip=True)
            canvas.path((x, CHAIN_Y + BOX[1] - 8), (x - 10, CHAIN_Y + BOX[1] - 8), tip=False)
            _pill(canvas, topic, (x, y), width=BOX[0] - 22)
            y += SIDE_STEP
        if stage.name == "invocation":
            canvas.box((x, y), (BOX[0] - 22, PILL[1]), fill=OUTSIDE_FILL, line=SOFT, is_dashed=True)
            canvas.label((x + 46, y + 17), "the world", size=11)
            canvas.path((x, CHAIN_Y + BOX[1] - 8), (x - 10, CHAIN_Y + BOX[1] - 8), (x - 10, y + 13), (x, y + 13), is_dashed=True)
            canvas.label((x - 16, y + 2), "connectors", anchor="end", size=9, colour=SOFT)
            y += SIDE_STEP
        bottom = max(bottom, y)
    return bottom + 12


def _draw_ledger(canvas: Canvas, in_chain: Sequence[Stage], place: dict[str, int], bar_y: int) -> None:
    left, right = place[in_chain[0].name], place[in_chain[-1].name] + BOX[0]
    canvas.box((left, bar_y), (right - left, PILL[1]), fill=TOPIC_FILL, line=TOPIC_LINE, corner=13)
    canvas.label(((left + right) // 2, bar_y + 17), "ledger: one entry for every transition", size=11)
    for stage in in_chain:
        if LEDGER in stage.writes:
            x = place[stage.name] + BOX[0] - 9
            canvas.path((x, CHAIN_Y + BOX[1]), (x, bar_y))


def _draw_readers(canvas: Canvas, readers: Sequence[Stage], bar_y: int) -> None:
    """Beneath the ledger, the stages that live from it, with what else they read and write."""
    y = bar_y + PILL[1] + 34
    for index, stage in enumerate(readers):
        x = LEFT + 60 + index * (STEP + 90)
        canvas.path((x + BOX[0] // 2, bar_y + PILL[1]), (x + BOX[0] // 2, y), is_both_ways=LEDGER in stage.writes)
        _stage(canvas, stage, (x, y))
        reads = [topic for topic in stage.reads if topic != LEDGER]
        writes = [topic for topic in stage.writes if topic != LEDGER]
        lines = ([f"reads {', '.join(reads)}"] if reads else []) + [f"writes {part}" for part in _wrapped(writes)]
        for number, line in enumerate(lines):
            canvas.label((x + BOX[0] // 2, y + BOX[1] + 15 + 13 * number), line, size=10, colour=SOFT)
    canvas.path((20, y + BOX[1] + 60), (canvas.width - 20, y + BOX[1] + 60), tip=False, colour=FAINT)


def _wrapped(names: Sequence[str], per_line: int = 3) -> list[str]:
    return [", ".join(names[start : start + per_line]) for start in range(0, len(names), per_line)]
