import json
import xml.etree.ElementTree as ET

from topology.flow import chain
from topology.matrix import columns
from topology.render import documents, mermaid, page, picture, specs_json
from topology.spec import Sizing, topic_specs
from topology.stages import STAGE_NAMES, STAGES, group_name, hyphenated
from topology.svg import Canvas
from topology.topics import TOPICS, topic_name

SVG = "{http://www.w3.org/2000/svg}"


def drawn_texts(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter(f"{SVG}text")]


def test_the_page_names_every_topic_and_every_stage() -> None:
    text = page()

    assert all(f"`{topic_name(short)}`" in text for short in TOPICS)
    assert all(f"`{group_name(stage)}`" in text for stage in STAGE_NAMES)
    assert "img/topology.svg" in text


def test_every_row_of_a_table_has_the_columns_of_its_head() -> None:
    rows = [line for line in page().splitlines() if line.startswith("|")]

    assert {row.count("|") for row in rows} == {9, 7}


def test_the_picture_is_valid_and_shows_every_topic_and_stage() -> None:
    texts = drawn_texts(picture())

    assert set(TOPICS) <= set(texts)
    assert {hyphenated(stage) for stage in STAGE_NAMES} <= set(texts)


def test_nothing_is_drawn_outside_the_picture() -> None:
    root = ET.fromstring(picture())
    width, height = int(root.attrib["width"]), int(root.attrib["height"])

    for rect in root.iter(f"{SVG}rect"):
        x, y = int(rect.get("x", "0")), int(rect.get("y", "0"))
        assert x >= 0
        assert y >= 0
        assert x + int(rect.attrib["width"]) <= width
        assert y + int(rect.attrib["height"]) <= height


def test_the_chain_is_found_from_what_stages_read_and_write() -> None:
    links = chain(tuple(STAGES.values()))

    assert [(link.writer.name, link.topic, link.reader.name) for link in links] == [
        ("validation", "intents.validated", "tool_mapping"),
        ("tool_mapping", "tool-calls", "invocation"),
        ("invocation", "tool-results", "recording"),
        ("recording", "compensations", "compensation"),
    ]


def test_every_party_of_a_topic_has_its_column() -> None:
    parties = {party for topic in TOPICS.values() for party in (*topic.writers, *topic.readers)}

    assert parties <= set(columns())


def test_the_mermaid_text_has_an_edge_for_each_declared_one() -> None:
    text = mermaid()

    assert "topic_tool_calls --> stage_invocation" in text
    assert "stage_tool_mapping --> topic_tool_calls" in text
    assert "topic_registry -.-> stage_tool_mapping" in text
    assert "every_stage --> topic_ledger" in text


def test_the_specs_are_plain_json_with_every_topic() -> None:
    specs = json.loads(specs_json(Sizing(prefix="shop", partition_count=3)))

    assert [spec["name"] for spec in specs] == [spec.name for spec in topic_specs(Sizing(prefix="shop"))]
    assert specs[0]["partition_count"] == 3


def test_rendering_twice_gives_the_same_bytes() -> None:
    assert documents() == documents()


def test_words_are_escaped_in_svg() -> None:
    canvas = Canvas(width=100, title="a < b")
    canvas.label((5, 5), "x & y")

    assert drawn_texts(canvas.text()) == ["x & y"]
