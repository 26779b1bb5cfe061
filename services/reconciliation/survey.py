"""The same comparison once, from outside: everything the topics hold now, in memory, and what is missing."""

from collections.abc import Iterable, Iterator

from msgspec import Struct

from enact.errors import ValidationError
from enact.ids import parts_of
from enact.kafka.partitioner import partition_of
from enact.kafka.transport import InRecord, OutRecord
from enact.metrics import Remedy
from services.reconciliation.bounds import Bounds
from services.reconciliation.case import Case, Repair
from services.reconciliation.judgement import Finding, Lack, judge
from services.reconciliation.learning import Learning
from services.reconciliation.repairs import Plan, Topics, record_of


class Survey:
    """Executions of every partition. Holds one small object for each that is not final."""

    def __init__(self, topics: Topics, bounds: Bounds, *, partition_count: int) -> None:
        self._learning, self._topics, self._bounds = Learning(topics), topics, bounds
        self._partitions = [_Cases() for _ in range(partition_count)]
        self.unreadable_count = 0

    @property
    def topics(self) -> tuple[str, ...]:
        """What must be read."""
        return self._learning.topics

    def learn(self, records: Iterable[InRecord]) -> None:
        """Add what the records say; what cannot be read is counted."""
        for record in records:
            try:
                self._learning.learn(record, self._partitions[record.partition])
            except ValidationError:
                self.unreadable_count += 1

    @property
    def execution_count(self) -> int:
        """Executions that were heard of."""
        return sum(len(cases.known) for cases in self._partitions)

    def findings(self, now_ms: int) -> "Iterator[Found]":
        """Every execution that is neither at its end nor alive within its bound, longest overdue first."""
        found = [
            Found(key=key, partition=partition, case=case, finding=judged)
            for partition, cases in enumerate(self._partitions)
            for key, case in cases.known.items()
            if case is not None and isinstance(judged := judge(case, now_ms, self._bounds), Finding)
        ]
        count = len(self._partitions)
        yield from sorted((one for one in found if one.is_home(count)), key=lambda one: one.finding.since_ms)

    def repair(self, found: "Found", now_ms: int, *, name: str) -> OutRecord | None:
        """The record that repairs it; None if nothing can. `name` tells this try from every other."""
        remedy = found.remedy
        if remedy is None:
            return None
        made = Plan(remedy=remedy, repair=Repair(remedy=remedy, generation=found.finding.generation), name=name)
        return record_of(found.key, found.case, found.finding, made, partition=found.partition, now_ms=now_ms, topics=self._topics)


class Found(Struct, frozen=True, kw_only=True):
    """One execution of which something is missing."""

    key: bytes
    partition: int
    case: Case
    finding: Finding

    @property
    def remedy(self) -> Remedy | None:
        """What would repair it."""
        if self.finding.lack is Lack.NOT_EXPIRED:
            return Remedy.EXPIRED
        return None if self.finding.lack is Lack.UNREADABLE or self.case.admitted is None else Remedy.RETURNED

    def is_home(self, partition_count: int) -> bool:
        """False for a stray event in a foreign partition: its execution is judged in its own."""
        return partition_of(self.who[1], partition_count) == self.partition

    @property
    def who(self) -> tuple[str, str]:
        """Tenant and action intent."""
        tenant_id, action_intent_id = parts_of(self.key)
        return tenant_id, action_intent_id


class _Cases:
    """The cases of one partition, in memory; None = final."""

    def __init__(self) -> None:
        self.known: dict[bytes, Case | None] = {}
        self._log_ms = 0

    def open(self, key: bytes) -> Case | None:
        case = self.known[key] if key in self.known else self.known.setdefault(key, Case())
        if case is not None and case.is_final:
            case = self.known[key] = None
        return case

    def log_time(self, at_ms: int) -> int:
        self._log_ms = max(self._log_ms, at_ms)
        return self._log_ms
