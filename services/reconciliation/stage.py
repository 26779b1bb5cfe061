"""Puts together what the four topics say, and sends what is due: a `Watcher` of `enact.kafka.watch_loop`.

Ordering: none is needed. Each topic's records come in its own order; between topics any order gives the same case.
"""

from collections.abc import Callable, Sequence
from itertools import islice

from enact.clock import Clock
from enact.ids import parts_of
from enact.kafka.partitioner import partition_of
from enact.kafka.state import PartitionState
from enact.kafka.transport import InRecord, OutRecord
from enact.log import get_logger
from enact.metrics import Remedy
from services.reconciliation.allowance import Allowance
from services.reconciliation.bounds import Bounds
from services.reconciliation.case import Case
from services.reconciliation.case_store import CaseStore
from services.reconciliation.judgement import Finding, Waiting, judge
from services.reconciliation.learning import Learning
from services.reconciliation.repairs import Topics, plan, record_of

STAGE = "reconciliation"
MAX_LOOKS = 200


class ReconciliationStage:
    """Acts only where told that a partition is caught up (`on_live`), `grace_s` after that: who starts beside us goes first.

    `on_remedy` hears of each remedy that is about to be sent.
    """

    name = STAGE

    def __init__(
        self,
        topics: Topics,
        *,
        bounds: Bounds,
        clock: Clock,
        allowance: Allowance,
        partition_count: int,
        grace_s: float,
        on_remedy: Callable[[Remedy], None] = lambda _: None,
    ) -> None:
        self._learning = Learning(topics)
        self.inputs: Sequence[str] = self._learning.topics
        self._topics, self._bounds, self._clock, self._allowance = topics, bounds, clock, allowance
        self._partition_count, self._grace_s, self._on_remedy = partition_count, grace_s, on_remedy
        self._stores: dict[int, tuple[PartitionState, CaseStore]] = {}
        self._acts_from_s: dict[int, float] = {}
        self._log = get_logger(STAGE)

    def learn(self, record: InRecord, state: PartitionState) -> None:
        """Add what a record says to its case."""
        self._learning.learn(record, self._store(state))

    def due(self, state: PartitionState) -> Sequence[OutRecord]:
        """Look at what is due, and say what has to be sent for it; the rest stays due when the allowance is used up."""
        if self._clock.boot_s() < self._acts_from_s.get(state.partition, float("inf")):
            return ()
        store, now_ms, sent = self._store(state), self._clock.wall_ms(), list[OutRecord]()
        for key in islice(store.due(now_ms), MAX_LOOKS):
            known = store.open(key)
            if known is None:
                continue
            judged = judge(known, now_ms, self._bounds)
            if isinstance(judged, Finding):
                if not self._is_ours(key, state.partition):
                    store.close(key)
                elif not self._repair(key, known, judged, sent, state.partition):
                    break
            elif isinstance(judged, Waiting):
                known.wait_ms = judged.until_ms
            else:
                self._settle(store, key, known, now_ms)
        store.write()
        return sent

    def _repair(self, key: bytes, case: Case, finding: Finding, sent: list[OutRecord], partition: int) -> bool:
        """Plan the next remedy; False if it must wait for the allowance."""
        now_ms = self._clock.wall_ms()
        found = plan(case, finding, now_ms, self._bounds)
        if found is None:
            case.wait_ms = now_ms + self._bounds.back_off_ms if case.repair.is_told else case.repair.next_ms
            return True
        if not self._allowance.take():
            return False
        sent.append(record_of(key, case, finding, found, partition=partition, now_ms=now_ms, topics=self._topics))
        case.repair = found.repair
        case.wait_ms = found.repair.next_ms if not found.repair.is_told else now_ms + self._bounds.back_off_ms
        self._on_remedy(found.remedy)
        tenant_id, action_intent_id = parts_of(key)
        self._log.warning(
            "execution_repaired" if found.remedy is not Remedy.TOLD else "execution_not_repaired",
            tenant_id=tenant_id,
            action_intent_id=action_intent_id,
            generation=finding.generation,
            reason=finding.lack.value,
            count=found.repair.tries,
        )
        return True

    def _settle(self, store: CaseStore, key: bytes, case: Case, now_ms: int) -> None:
        """Nothing to do for it; it is remembered until its logs forget it, too."""
        case.wait_ms = case.seen_ms + self._bounds.horizon_ms
        if now_ms >= case.wait_ms:
            store.close(key)

    def _is_ours(self, key: bytes, partition: int) -> bool:
        """An event in a foreign partition is appended again where it belongs, by that partition's owner; its case lies there."""
        return partition_of(parts_of(key)[1], self._partition_count) == partition

    def _store(self, state: PartitionState) -> CaseStore:
        known = self._stores.get(state.partition)
        if known is None or known[0] is not state:
            known = self._stores[state.partition] = (state, CaseStore(state, self._bounds))
        return known[1]

    def on_live(self, partition: int) -> None:
        """It may act after the grace."""
        self._acts_from_s[partition] = self._clock.boot_s() + self._grace_s

    def on_gone(self, partition: int) -> None:
        """Forget it."""
        self._acts_from_s.pop(partition, None)
        self._stores.pop(partition, None)

    def on_rewind(self, partition: int) -> None:
        """What was opened is as it lies on disk."""
        if partition in self._stores:
            self._stores[partition][1].forget_batch()
