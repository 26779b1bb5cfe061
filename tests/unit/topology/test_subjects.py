from topology.subjects import subjects
from topology.topics import TOPICS


def test_a_topic_with_one_kind_of_record_has_one_subject() -> None:
    found = subjects("shop")

    assert found["shop.intents.approved.v1-value"] is TOPICS["intents.approved"].records[0]
    assert "shop.executions.v1-value" in found


def test_a_topic_with_two_kinds_of_records_has_a_subject_for_each() -> None:
    found = {subject for subject in subjects() if subject.startswith("enact.switches")}

    assert found == {"enact.switches.v1-enact.v1.Switch", "enact.switches.v1-enact.v1.Probe"}


def test_every_declared_record_has_a_subject_and_dead_letters_have_none() -> None:
    found = subjects()

    assert set(found.values()) == {cls for topic in TOPICS.values() for cls in topic.records}
    assert not [subject for subject in found if ".dlq." in subject]
