"""`enact replay` as it is typed: refused while the stage runs, exact about from where, and silent about nothing."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cli.context import Cluster as Door
from cli.exit_codes import Exit
from cli.up_file import Running, write_running
from enact.clock import ManualClock
from enact.kafka.inspection import GroupFacts
from enact.kafka.local import LocalBroker
from enact.kafka.transport import NextOffset, OutRecord, TopicPartition
from enact.records.codec import encode
from tests.unit.cli.cluster import Cluster
from tests.unit.cli.command import run
from tests.unit.enact.event_factories import a_tool_call
from topology.spec import Sizing, topic_specs
from topology.stages import group_name
from topology.topics import TOPICS, topic_name

GROUP, CALLS, LOG = "enact.invocation", "enact.tool-calls.v1", "enact.executions.v1"
HERE = GroupFacts(exists=True, state="STABLE", member_count=2, assignor="range", assigned_count=4, hosts=("10.0.0.7", "10.0.0.8"))
NOBODY = GroupFacts(exists=True, state="EMPTY", member_count=0, assignor="", assigned_count=0)


@dataclass
class Rig:
    """A cluster that answers from memory; `members` is who is in every group."""

    admin: Cluster = field(default_factory=Cluster)
    broker: LocalBroker = field(default_factory=lambda: LocalBroker(ManualClock()))
    members: GroupFacts = NOBODY

    def groups(self, names: Sequence[str]) -> Mapping[str, GroupFacts]:
        return dict.fromkeys(names, self.members)

    def committed(self, topic: str) -> list[int | None]:
        held = self.admin.committed.get(GROUP, {})
        return [held.get(TopicPartition(topic, number)) for number in range(2)]


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Rig:
    """Two partitions; invocation has read 60 of each input and 30 of its log."""
    made = Rig()

    for spec in topic_specs(Sizing(partition_count=2, replication_factor=1)):
        made.admin.create_topic(spec)
    for short in ("tool-calls", "executions"):
        made.broker.create_topic(topic_name(short), 2)
    made.admin.calls.clear()
    for number in range(2):
        for topic, at in ((CALLS, 60), (LOG, 30)):
            made.admin.ends[TopicPartition(topic, number)] = NextOffset(100)
            made.admin.committed.setdefault(GROUP, {})[TopicPartition(topic, number)] = NextOffset(at)

    @contextmanager
    def cluster() -> Iterator[Door]:
        yield Door(
            writer=made.broker.writer(), open_reader=made.broker.log_reader, clock=made.broker.clock, actor="cli:kim", prefix="enact"
        )

    monkeypatch.setattr("cli.replay.cluster", cluster)
    monkeypatch.setattr("cli.replay.KafkaAdmin", lambda kafka: made.admin)
    monkeypatch.setattr("cli.replay.Inspection", lambda kafka: made)
    monkeypatch.setenv("ENACT_KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setenv("ENACT_DATA_DIR", str(tmp_path))
    return made


def test_from_the_beginning_moves_the_inputs_and_the_log_of_the_stage(rig: Rig) -> None:
    result = run("replay", "invocation", "--from-beginning")

    assert result.exit_code == 0
    assert rig.committed(CALLS) == [0, 0]
    assert rig.committed(LOG) == [0, 0]
    assert rig.admin.calls == [f"move {GROUP}"]
    assert "reads from there when invocation is started again" in result.stdout


def test_one_topic_and_one_partition_can_be_moved_alone(rig: Rig) -> None:
    run("replay", "invocation", "--from-offset", "1:40", "--topic", "tool-calls")
    run("replay", "invocation", "--from-beginning", "--topic", "executions", "--partition", "0")

    assert rig.committed(CALLS) == [60, 40]
    assert rig.committed(LOG) == [0, 30]


def test_from_a_time_asks_the_broker_for_it(rig: Rig) -> None:
    for number in range(2):
        rig.admin.first_after |= {TopicPartition(CALLS, number): NextOffset(55), TopicPartition(LOG, number): NextOffset(99)}

    result = run("replay", "invocation", "--from-timestamp", "2026-11-21T18:00:00+01:00")

    assert result.exit_code == 0
    assert rig.committed(CALLS) == [55, 55]
    assert rig.committed(LOG) == [30, 30]


def test_a_dry_run_moves_nothing_and_says_what_would_be_read_again(rig: Rig) -> None:
    result = run("replay", "tool-mapping", "--from-beginning", "--dry-run")

    assert result.exit_code == 0
    assert rig.admin.calls == []
    assert "Each is worked out again and sent with the same ids" in result.stdout


def test_a_group_that_stands_there_already_is_left_alone(rig: Rig) -> None:
    result = run("replay", "invocation", "--from-offset", "0:60", "--topic", "tool-calls")

    assert result.exit_code == 0
    assert "Nothing to move" in result.stdout
    assert rig.committed(CALLS) == [60, 60]


def test_a_dry_run_of_invocation_counts_executions_by_how_they_stand(rig: Rig) -> None:
    for number in range(60):
        rig.broker.writer().send(OutRecord(CALLS, 0, b"x", encode(a_tool_call(action_intent_id=f"i-{number}"))))

    result = run("replay", "invocation", "--from-offset", "0:20", "--topic", "tool-calls", "--dry-run", "--json")

    told = json.loads(result.stdout)
    assert told["executions"] == {"unknown": 40}
    assert (told["partitions"][0]["reads_from"], told["partitions"][0]["read_again"], told["is_dry_run"]) == (20, 40, True)
    assert rig.admin.calls == []


def test_a_dry_run_s_words_are_sentences(rig: Rig) -> None:
    for number in range(60):
        rig.broker.writer().send(OutRecord(CALLS, 0, b"x", encode(a_tool_call(action_intent_id=f"i-{number}"))))

    result = run("replay", "invocation", "--from-offset", "0:20", "--topic", "tool-calls", "--dry-run")

    assert "40 are not in the log: what becomes of them is decided when they are read." in result.stdout
    assert "leave out --dry-run" in result.stdout


def test_a_live_group_is_refused_with_its_members_and_how_to_stop_them(rig: Rig) -> None:
    rig.members = HERE

    result = run("replay", "invocation", "--from-beginning")

    assert result.exit_code == Exit.REFUSED
    assert rig.admin.calls == []
    assert "2 members at 10.0.0.7, 10.0.0.8" in result.stderr
    assert "kubectl scale statefulset/invocation --replicas=0" in result.stderr


@pytest.mark.parametrize(("stage", "kind"), [("reconciliation", "statefulset"), ("tool-mapping", "deployment")])
def test_the_refusal_names_the_kind_that_the_stage_has_in_kubernetes(rig: Rig, stage: str, kind: str) -> None:
    rig.members = HERE

    assert f"kubectl scale {kind}/{stage} --replicas=0" in run("replay", stage, "--from-beginning").stderr


def test_a_dry_run_is_refused_while_the_group_is_live_too(rig: Rig) -> None:
    rig.members = HERE

    assert run("replay", "invocation", "--from-beginning", "--dry-run").exit_code == Exit.REFUSED


def test_under_enact_up_the_refusal_names_its_process_and_the_way_round(rig: Rig, tmp_path: Path) -> None:
    rig.members = HERE
    write_running(tmp_path, Running(pid=4711, bootstrap_servers="127.0.0.1:1", health_ports={"invocation.0": 1}))

    result = run("replay", "invocation", "--from-beginning")

    assert "(pid 4711)" in result.stderr
    assert "up --without invocation" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["invocation"], "Say from where"),
        (["invocation", "--from-beginning", "--from-offset", "0:1"], "Say from where"),
        (["invocation", "--from-offset", "0:1"], "An offset belongs to one topic: name it with --topic, one of tool-calls, executions"),
        (["invocation", "--from-offset", "0-1", "--topic", "tool-calls"], "write PARTITION:OFFSET"),
        (["invocation", "--from-offset", "7:1", "--topic", "tool-calls"], "There is no partition 7: they are numbered 0 to 1"),
        (["invocation", "--from-beginning", "--topic", "ledger"], "invocation reads tool-calls, executions"),
        (["invocation", "--from-timestamp", "yesterday"], "write a time with its zone"),
        (["invocation", "--from-timestamp", "2026-11-21T18:00:00"], "write a time with its zone"),
        (["api", "--from-beginning"], "The api has no group"),
        (["nonsense", "--from-beginning"], "There is no stage nonsense to replay"),
    ],
)
def test_a_wrong_command_line_changes_nothing_and_says_what_is_right(rig: Rig, arguments: list[str], told: str) -> None:
    result = run("replay", *arguments)

    assert result.exit_code == Exit.USAGE
    assert told in result.stderr
    assert rig.admin.calls == []


def test_an_offset_that_the_log_does_not_hold_is_refused_as_json_too(rig: Rig) -> None:
    result = run("replay", "invocation", "--from-offset", "0:500", "--topic", "tool-calls", "--json")

    assert result.exit_code == Exit.REFUSED
    assert "holds the offsets 0 to 100, not 500" in json.loads(result.stdout)["message"]


def test_topics_that_do_not_exist_are_named(rig: Rig) -> None:
    rig.admin.topics.clear()

    result = run("replay", "recording", "--from-beginning")

    assert result.exit_code == Exit.USAGE
    assert "does not exist" in result.stderr


def test_the_names_used_here_are_those_of_the_topology() -> None:
    assert (group_name("invocation"), topic_name("tool-calls"), topic_name("executions")) == (GROUP, CALLS, LOG)
    assert {"tool-calls", "executions"} <= TOPICS.keys()
