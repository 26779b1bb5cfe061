from dataclasses import replace

from topology.plan import ActualTopic, AlterConfig, CreateTopic, StartLog, plan
from topology.spec import Sizing, TopicSpec, topic_specs

SPECS = topic_specs(Sizing(partition_count=4, replication_factor=1))


def as_declared(spec: TopicSpec) -> ActualTopic:
    """What a broker tells of it: our settings among its own defaults."""
    return ActualTopic(
        partition_count=spec.partition_count,
        replication_factor=spec.replication_factor,
        configs={"compression.type": "producer", **spec.configs},
    )


CLUSTER = {spec.name: as_declared(spec) for spec in SPECS}


def spec_of(short: str) -> TopicSpec:
    return next(spec for spec in SPECS if spec.short == short)


def test_a_cluster_that_is_as_declared_needs_nothing() -> None:
    assert plan(SPECS, CLUSTER).is_empty


def test_an_empty_cluster_gets_every_topic_and_each_log_its_start_right_after_it() -> None:
    made = plan(SPECS, {})

    assert [action.spec.name for action in made.actions if isinstance(action, CreateTopic)] == [spec.name for spec in SPECS]
    starts = [index for index, action in enumerate(made.actions) if isinstance(action, StartLog)]
    assert [made.actions[index] for index in starts] == [
        StartLog(group="enact.validation", topic="enact.admissions.v1", partition_count=4),
        StartLog(group="enact.invocation", topic="enact.executions.v1", partition_count=4),
        StartLog(group="enact.recording", topic="enact.outcomes.v1", partition_count=4),
    ]
    for index in starts:
        before = made.actions[index - 1]
        assert isinstance(before, CreateTopic)
        assert before.spec.log_of_group is not None
    assert not made.problems


def test_an_existing_log_is_never_started_again() -> None:
    missing = {name: topic for name, topic in CLUSTER.items() if name != "enact.ledger.v1"}

    made = plan(SPECS, missing)

    assert [str(action) for action in made.actions] == ["create enact.ledger.v1 with 4 partition(s), replication 1"]


def test_a_log_that_an_interrupted_run_left_without_a_start_gets_it() -> None:
    made = plan(SPECS, CLUSTER, unstarted=["enact.executions.v1", "enact.ledger.v1"])

    assert made.actions == (StartLog(group="enact.invocation", topic="enact.executions.v1", partition_count=4),)


def test_a_setting_that_differs_is_altered_alone() -> None:
    name = "enact.admissions.v1"
    drifted = replace(CLUSTER[name], configs={**CLUSTER[name].configs, "retention.ms": "1000"})

    made = plan(SPECS, {**CLUSTER, name: drifted})

    wanted = spec_of("admissions").configs["retention.ms"]
    assert made.actions == (AlterConfig(topic=name, name="retention.ms", actual="1000", desired=wanted),)
    assert str(made.actions[0]) == f"set retention.ms of {name} from 1000 to {wanted}"


def test_the_order_of_a_list_setting_is_no_difference() -> None:
    name = "enact.admissions.v1"
    told = replace(CLUSTER[name], configs={**CLUSTER[name].configs, "cleanup.policy": "delete,compact"})

    assert plan(SPECS, {**CLUSTER, name: told}).is_empty


def test_another_partition_count_is_a_problem_for_a_person_and_never_an_action() -> None:
    name = "enact.executions.v1"

    made = plan(SPECS, {**CLUSTER, name: replace(CLUSTER[name], partition_count=3)})

    assert made.actions == ()
    assert len(made.problems) == 1
    assert "enact.executions.v1 has 3 partition(s), 4 are wanted" in made.problems[0]
    assert not made.is_empty


def test_too_few_copies_are_a_problem_and_more_copies_are_not() -> None:
    name = "enact.ledger.v1"
    wanted = topic_specs(Sizing(partition_count=4, replication_factor=2))
    cluster = {spec.name: as_declared(spec) for spec in wanted}

    fewer = plan(wanted, {**cluster, name: replace(cluster[name], replication_factor=1)})
    more = plan(wanted, {**cluster, name: replace(cluster[name], replication_factor=3)})

    assert "has 1 copies, 2 are wanted" in fewer.problems[0]
    assert more.is_empty


def test_topics_that_nobody_declared_are_left_alone() -> None:
    foreign = ActualTopic(partition_count=99, replication_factor=1, configs={})

    assert plan(SPECS, {**CLUSTER, "orders": foreign}).is_empty
