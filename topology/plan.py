"""What has to change so that a cluster is as declared: a pure comparison, no I/O.

Nothing is ever deleted, and a partition count is never changed: murmur2(id) mod P would send an execution's later records to another
partition than its log. Such a difference is a problem for a person, not an action.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from topology.spec import TopicSpec

SHOWN_NAMES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ActualTopic:
    """A topic as the broker describes it. `configs` holds the effective values, defaults included."""

    partition_count: int
    replication_factor: int
    configs: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTopic:
    """The topic does not exist yet."""

    spec: TopicSpec

    def __str__(self) -> str:
        """One line for people."""
        return f"create {self.spec.name} with {self.spec.partition_count} partition(s), replication {self.spec.replication_factor}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartLog:
    """Commit offset 0 for every partition of a new log, so that its stage may emit from the first record on."""

    group: str
    topic: str
    partition_count: int

    def __str__(self) -> str:
        """One line for people."""
        return f"start {self.group} at offset 0 of {self.topic} ({self.partition_count} partition(s))"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlterConfig:
    """One setting of an existing topic differs from the declaration. `actual` None = the broker names no value."""

    topic: str
    name: str
    actual: str | None
    desired: str

    def __str__(self) -> str:
        """One line for people."""
        return f"set {self.name} of {self.topic} from {self.actual or 'nothing'} to {self.desired}"


Action = CreateTopic | StartLog | AlterConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`actions` in the order they are done; `problems` are sentences about what no action can mend."""

    actions: tuple[Action, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether the cluster is as declared."""
        return not self.actions and not self.problems


def plan(desired: Sequence[TopicSpec], actual: Mapping[str, ActualTopic], *, unstarted: Collection[str] = ()) -> Plan:
    """Compare what is declared with what is there. Topics that nobody declared are not looked at.

    `unstarted` names existing logs that are empty and have no committed offset: an earlier run ended between creating and starting them.
    """
    actions: list[Action] = []
    found: list[str] = []
    for spec in desired:
        existing = actual.get(spec.name)
        if existing is None:
            actions += [CreateTopic(spec=spec), *_start(spec)]
            continue
        found += _copies(spec, existing)
        actions += _drift(spec, existing)
        if spec.name in unstarted:
            actions += _start(spec)
    return Plan(actions=tuple(actions), problems=(*_counts(desired, actual), *found))


def _start(spec: TopicSpec) -> list[Action]:
    if spec.log_of_group is None:
        return []
    return [StartLog(group=spec.log_of_group, topic=spec.name, partition_count=spec.partition_count)]


def _counts(desired: Sequence[TopicSpec], actual: Mapping[str, ActualTopic]) -> list[str]:
    """One sentence for each pair of counts: usually all topics differ in the same way."""
    differing: dict[tuple[int, int], list[str]] = {}
    for spec in desired:
        found = actual.get(spec.name)
        if found is not None and found.partition_count != spec.partition_count:
            differing.setdefault((found.partition_count, spec.partition_count), []).append(spec.name)
    return [
        f"{_names(names)} {'has' if len(names) == 1 else 'have'} {there} partition(s), {wanted} are wanted. The count is fixed for "
        f"the life of a cluster: run with {there} partitions, or take another ENACT_TOPIC_PREFIX for a new set of topics"
        for (there, wanted), names in differing.items()
    ]


def _names(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= SHOWN_NAMES else f"{', '.join(names[:SHOWN_NAMES])} and {len(names) - SHOWN_NAMES} more topics"


def _copies(spec: TopicSpec, existing: ActualTopic) -> list[str]:
    if existing.replication_factor >= spec.replication_factor:
        return []
    counts = f"{spec.name} has {existing.replication_factor} copies, {spec.replication_factor} are wanted"
    return [f"{counts}: move it with kafka-reassign-partitions, enact does not"]


def _drift(spec: TopicSpec, existing: ActualTopic) -> list[AlterConfig]:
    return [
        AlterConfig(topic=spec.name, name=name, actual=existing.configs.get(name), desired=value)
        for name, value in spec.configs.items()
        if _normal(existing.configs.get(name)) != _normal(value)
    ]


def _normal(value: str | None) -> str | None:
    """Brokers give list settings back in their own order: `compact,delete` and `delete,compact` are one."""
    return value if value is None else ",".join(sorted(part.strip() for part in value.split(",")))
