"""Makes text from the declarations: the docs page with its pictures, the plain specs other tools apply, and every file of a deployment."""

import json
from collections.abc import Mapping
from dataclasses import asdict

from topology.deployment import compose, dashboard, kafka_topics, kubernetes, scrape
from topology.flow import draw_flow
from topology.matrix import draw_matrix
from topology.spec import Sizing, topic_specs
from topology.stages import STAGES, Stage, group_name, hyphenated
from topology.svg import Canvas
from topology.topic import Partitions, Topic
from topology.topics import TOPICS, topic_name

PICTURE_WIDTH = 1340
LEDGER = "ledger"

_INTRO = """# Topics and stages

This page is rendered from `topology/` by `make render`; `make check` fails when it is stale. Change the declaration, not the page.

![The way of an intent through the stages, and who writes and reads each topic](img/topology.svg)

`P` is the partition count of all intent-keyed topics: one number, fixed for the life of the cluster, and every record of an intent lies
in partition murmur2(action_intent_id) mod P. The names stand for `ENACT_TOPIC_PREFIX=enact`. Retention `horizon` is the dedupe horizon
D (30 d), `input` is 7 d, `dead letter` 14 d, unless the cluster chooses otherwise. Every topic has `message.timestamp.type=LogAppendTime`.
"""


def documents() -> Mapping[str, str]:
    """Every rendered file by its path in the tree."""
    return {
        "docs/topology.md": page(),
        "docs/img/topology.svg": picture(),
        compose.PATH: compose.text(),
        **kubernetes.files(),
        **kafka_topics.files(Sizing()),
        **scrape.files(),
        **dashboard.files(),
    }


def page() -> str:
    """The docs page: picture, topic table, stage table, and the graph as Mermaid text."""
    parts = (_INTRO, "## Topics\n", _topic_table(), "## Stages\n", _stage_table(), "## The graph as text\n", f"```mermaid\n{mermaid()}```")
    return "\n".join(parts) + "\n"


def picture() -> str:
    """The drawing of the whole graph as an SVG document."""
    canvas = Canvas(width=PICTURE_WIDTH, title="enact: the way of an intent, and who writes and reads each topic")
    draw_flow(canvas)
    draw_matrix(canvas)
    return canvas.text()


def specs_json(sizing: Sizing) -> str:
    """The topics of one cluster as JSON, for tools that create topics themselves."""
    return json.dumps([asdict(spec) for spec in topic_specs(sizing)], indent=2, sort_keys=True) + "\n"


def mermaid() -> str:
    """The graph as a Mermaid flow chart. The ledger and the dead letters, which every stage writes, are one node each."""
    lines = ["flowchart LR"]
    lines += [f"  {_node(stage.name)}[{hyphenated(stage.name)}]" for stage in STAGES.values()]
    drawn = [topic for topic in TOPICS.values() if not topic.is_dead_letters]
    lines += [f"  {_node(topic.short)}[({topic.short})]" for topic in drawn]
    lines += ["  outside_dead_letters[(dead letters of each stage)]", "  every_stage((every stage))"]
    lines += ["  every_stage --> topic_ledger", "  every_stage --> outside_dead_letters"]
    for topic in drawn:
        writers = () if topic.short == LEDGER else topic.writers
        lines += [f"  {_node(writer)} --> {_node(topic.short)}" for writer in writers]
        lines += [f"  {_node(topic.short)} {_arrow(topic, reader)} {_node(reader)}" for reader in topic.readers]
    return "\n".join(lines) + "\n"


def _node(name: str) -> str:
    """Mermaid ids are words; a topic and a stage of one name must differ."""
    kind = "topic" if name in TOPICS else "stage" if name in STAGES else "outside"
    return f"{kind}_{name.replace('.', '_').replace('-', '_')}"


def _arrow(topic: Topic, reader: str) -> str:
    return "-.->" if reader in STAGES and topic.short in STAGES[reader].tables else "-->"


def _topic_table() -> str:
    lines = ["| topic | holds | record | key | P | cleanup, retention | written by | read by |", "|---|---|---|---|---|---|---|---|"]
    for topic in TOPICS.values():
        records = ", ".join(record.__name__ for record in topic.records) or "original bytes and headers"
        is_log = " **(decision log)**" if topic.is_decision_log else ""
        lines.append(
            f"| `{topic_name(topic.short)}` | {topic.holds}{is_log} | {records} | {', '.join(topic.key)} | {_count(topic)} "
            f"| {topic.cleanup.value}, {topic.retention.value} | {_names(topic.writers)} | {_names(topic.readers)} |"
        )
    return "\n".join(lines) + "\n"


def _count(topic: Topic) -> str:
    return "P" if topic.partitions is Partitions.INTENT else "1"


def _names(parties: tuple[str, ...]) -> str:
    return ", ".join(hyphenated(party) for party in parties)


def _stage_table() -> str:
    lines = ["| stage | promise | reads | log | tables | writes |", "|---|---|---|---|---|---|"]
    lines += [_stage_row(stage) for stage in STAGES.values()]
    return "\n".join(lines) + "\n"


def _stage_row(stage: Stage) -> str:
    reads, tables, writes = (", ".join(names) or "–" for names in (stage.reads, stage.tables, stage.all_writes))
    return f"| `{group_name(stage.name)}` | {stage.promise} | {reads} | {stage.log or '–'} | {tables} | {writes} |"
