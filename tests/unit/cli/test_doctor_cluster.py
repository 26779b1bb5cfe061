"""`enact doctor` on a cluster in memory: topics, groups, health, clock and the work, each finding with what to do."""

from pathlib import Path

import pytest

from cli import doctor_cluster, doctor_stages, doctor_work
from cli.doctor_finding import Finding, Level, looked
from cli.topology_apply import topology_apply
from enact.errors import BrokerError
from enact.kafka.inspection import ClusterFacts, GroupFacts
from enact.kafka.local import LocalBroker
from enact.kafka.transport import NextOffset, OutRecord, TopicPartition
from enact.records import Switch, SwitchMode, SwitchState
from enact.registry import RegistryView
from tests.unit.cli.cluster import Cluster
from topology.spec import Sizing

SMALL = Sizing(partition_count=2, replication_factor=1)
LEDGER = "enact.ledger.v1"
DEAD = "enact.validation.dlq.v1"


def levels(findings: list[Finding]) -> list[tuple[str, Level]]:
    return [(one.name, one.level) for one in findings]


def group(members: int = 1, state: str = "STABLE") -> GroupFacts:
    return GroupFacts(exists=True, state=state, member_count=members, assignor="range", assigned_count=2)


# the broker and its groups


def test_the_broker_says_who_it_is() -> None:
    facts = ClusterFacts(cluster_id="abc", node_count=3, node_id=1)

    assert "4.3.1" in doctor_cluster.broker(facts, "h:1", "4.3.1").text
    assert "your cluster, 3 nodes" in doctor_cluster.broker(facts, "h:1", None).text


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"group.coordinator.rebalance.protocols": "classic,consumer", doctor_cluster.SESSION: "6000"}, [Level.OK, Level.OK]),
        ({"group.coordinator.rebalance.protocols": "classic,consumer", doctor_cluster.SESSION: "45000"}, [Level.OK, Level.WARN]),
        ({"group.coordinator.rebalance.protocols": "classic"}, [Level.FAIL]),
        ({}, [Level.WARN]),
    ],
)
def test_the_group_protocol_and_the_take_over_time_are_judged(settings: dict[str, str], found: list[Level]) -> None:
    findings = list(doctor_cluster.group_protocol(settings))

    assert [one.level for one in findings] == found
    assert all(one.next_step for one in findings if one.level is not Level.OK)


def test_a_long_take_over_is_told_in_seconds() -> None:
    findings = list(doctor_cluster.group_protocol({doctor_cluster.SESSION: "45000"}))

    assert "about 45 s" in findings[-1].text


# topics


def topics(cluster: Cluster, *, is_practice: bool = True) -> list[Finding]:
    return list(doctor_cluster.topics(cluster, prefix="enact", is_practice=is_practice, enact="enact"))


def test_topics_as_declared_are_well_and_their_count_is_told() -> None:
    cluster = Cluster()
    topology_apply(cluster, SMALL)
    cluster.calls.clear()

    findings = topics(cluster)

    assert levels(findings) == [("topics", Level.OK), ("partitions", Level.OK)]
    assert "P = 2" in findings[1].text
    assert cluster.calls == []


def test_one_copy_is_for_practice_only() -> None:
    cluster = Cluster()
    topology_apply(cluster, SMALL)

    assert levels(topics(cluster, is_practice=False))[-1] == ("copies", Level.WARN)


def test_no_topics_at_all_say_how_to_make_them() -> None:
    (finding,) = topics(Cluster())

    assert finding.level is Level.FAIL
    assert "topics apply" in finding.next_step


def test_a_missing_topic_a_drifted_setting_and_another_count_are_each_told_with_the_command() -> None:
    cluster = Cluster()
    topology_apply(cluster, SMALL)
    del cluster.topics["enact.signals.v1"]
    cluster.set_config(LEDGER, **{"retention.ms": "60000"})
    topology_apply(wide := Cluster(), Sizing(partition_count=3, replication_factor=1))
    cluster.topics["enact.outcomes.v1"] = wide.topics["enact.outcomes.v1"]

    missing, drifted, other, count = topics(cluster)

    assert [one.level for one in (missing, drifted, other, count)] == [Level.FAIL, Level.FAIL, Level.FAIL, Level.OK]
    assert "1 missing: enact.signals.v1" in missing.text
    assert "retention.ms of enact.ledger.v1 is 60000" in drifted.text
    assert "enact.outcomes.v1 has 3 partition(s), 2 are wanted" in other.text
    assert "`enact topics apply --partitions 2 --replication-factor 1`" in drifted.next_step


def test_a_log_that_was_never_started_is_told() -> None:
    cluster = Cluster()
    topology_apply(cluster, SMALL)
    cluster.committed.clear()

    assert ("topics", Level.WARN) in levels(topics(cluster))


# the clock


@pytest.mark.parametrize(("ahead_s", "level"), [(0.2, Level.OK), (-2.0, Level.WARN), (9.0, Level.FAIL)])
def test_a_clock_that_differs_is_told_by_how_much(ahead_s: float, level: Level) -> None:
    finding = doctor_cluster.skew(ahead_s)

    assert finding.level is level
    assert level is Level.OK or f"{abs(ahead_s):.1f} s {'ahead' if ahead_s > 0 else 'behind'}" in finding.text


def test_without_a_running_invocation_the_clock_is_not_judged() -> None:
    broker = LocalBroker()
    broker.create_topic("enact.switches.v1", 1)

    finding = doctor_cluster.clock(broker.log_reader(), prefix="enact", is_probed=False, wait_s=1.0)

    assert finding.level is Level.WARN
    assert "cannot be compared" in finding.text


# stages


def test_the_lag_counts_inputs_and_log_from_the_committed_offset_or_the_beginning() -> None:
    cluster = Cluster()
    approved = [TopicPartition("enact.intents.approved.v1", number) for number in range(2)]
    log = TopicPartition("enact.admissions.v1", 0)
    cluster.ends = {approved[0]: NextOffset(10), approved[1]: NextOffset(5), log: NextOffset(3)}
    cluster.begins = {approved[1]: NextOffset(2)}
    cluster.committed["g"] = {approved[0]: NextOffset(8), log: NextOffset(3)}

    behind = doctor_stages.lag("validation", "g", cluster, prefix="enact", counts={approved[0].topic: 2, log.topic: 1})

    assert behind == (10 - 8) + (5 - 2) + 0


@pytest.mark.parametrize(
    ("facts", "behind", "log", "level"),
    [
        (group(), 0, None, Level.OK),
        (group(), 1_001, None, Level.WARN),
        (group(state="RECONCILING"), 0, None, Level.WARN),
        (group(0, "EMPTY"), 7, None, Level.WARN),
        (group(0, "EMPTY"), 7, Path("x.log"), Level.FAIL),
    ],
)
def test_a_group_is_judged_by_its_members_and_its_lag(facts: GroupFacts, behind: int, log: Path | None, level: Level) -> None:
    finding = doctor_stages.membership("validation", facts, behind, enact="enact", log=log)

    assert finding.level is level
    assert f"{behind} records behind" in finding.text


@pytest.mark.parametrize(
    ("answer", "level", "words"),
    [
        ((200, "{}"), Level.OK, "ready"),
        ((503, '{"missing": ["partitions are not assigned"]}'), Level.WARN, "partitions are not assigned"),
        ((503, "<html>"), Level.WARN, "does not say why"),
        (None, Level.FAIL, "does not answer"),
    ],
)
def test_what_readyz_answers_is_told(answer: tuple[int, str] | None, level: Level, words: str) -> None:
    finding = doctor_stages.readiness("api.0", answer, log=Path("logs/api.0.log"))

    assert finding.level is level
    assert words in finding.text
    assert level is Level.OK or "logs/api.0.log" in finding.next_step


def test_a_process_that_is_gone_is_asked_and_told_and_none_at_all_too() -> None:
    (gone,) = doctor_stages.health({"api.0": 1}, logs=Path("logs"), enact="enact")
    (none,) = doctor_stages.health({}, logs=Path("logs"), enact="enact")

    assert (gone.level, none.level) == (Level.FAIL, Level.WARN)
    assert "enact up --sandbox" in none.next_step


# the work


def test_an_empty_registry_is_a_failure() -> None:
    assert doctor_work.registry(RegistryView([], next_offset=0), "enact").level is Level.FAIL


def test_what_is_stopped_is_told_with_its_release() -> None:
    def switch(state: SwitchState) -> Switch:
        return Switch(scope="global", engagement_id="e1", state=state, mode=SwitchMode.HOLD, actor="cli:kim", reason="fire", at_ms=1)

    (engaged,) = doctor_work.switches([switch(SwitchState.ENGAGED)], "enact")
    (none,) = doctor_work.switches([switch(SwitchState.RELEASED)], "enact")

    assert (engaged.level, none.level) == (Level.WARN, Level.OK)
    assert "by cli:kim: fire" in engaged.text
    assert "--engagement e1" in engaged.next_step


def test_dead_letters_are_counted_with_the_codes_of_the_newest() -> None:
    broker = LocalBroker()
    broker.create_topic(DEAD, 2)
    writer = broker.writer()
    for partition, code in ((0, b"NULL_VALUE"), (1, b"KEY_MISMATCH"), (1, b"KEY_MISMATCH")):
        writer.send(OutRecord(topic=DEAD, partition=partition, key=b"k", value=b"v", headers=(("enact-error-code", code),)))
    writer.flush(1.0)
    cluster = Cluster(ends={TopicPartition(DEAD, 0): NextOffset(1), TopicPartition(DEAD, 1): NextOffset(2)})

    (some,) = doctor_work.kept(cluster, broker.log_reader(), prefix="enact", counts={DEAD: 2})
    (none,) = doctor_work.kept(Cluster(), broker.log_reader(), prefix="enact", counts={DEAD: 2})

    assert (some.level, none.level) == (Level.WARN, Level.OK)
    assert f"3 in {DEAD}; the newest: 2 KEY_MISMATCH, 1 NULL_VALUE" in some.text


@pytest.mark.parametrize(
    ("pages", "level", "words"),
    [
        (['enact_in_doubt{stage="invocation"} 0.0'], Level.OK, "none"),
        (
            ['# HELP enact_in_doubt x\nenact_in_doubt{stage="invocation"} 2.0\n', 'enact_in_doubt{stage="invocation"} 1.0'],
            Level.WARN,
            "3 wait",
        ),
        ([], Level.WARN, "not known"),
    ],
)
def test_what_is_in_doubt_is_counted_over_all_instances(pages: list[str], level: Level, words: str) -> None:
    finding = doctor_work.in_doubt(pages, "enact")

    assert finding.level is level
    assert words in finding.text


def test_a_look_that_fails_is_a_finding_and_not_the_end() -> None:
    def look() -> list[Finding]:
        raise BrokerError("The cluster refused it: grant the rights.")

    (finding,) = looked("registry", look)

    assert (finding.level, finding.next_step) == (Level.FAIL, "The cluster refused it: grant the rights.")
