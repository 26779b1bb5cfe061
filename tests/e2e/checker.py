"""What must hold of a finished run, from the outside: topics, receipts, applications and objects, joined by id and nonce."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from enact.records import ApprovedIntent, Claimed, LedgerType, Released, SignalType, Status
from tests.e2e.world import World

MAKING = ("create", "fire")
"""What the sandbox calls an application that makes something new; an upsert that meets its object again is an "update"."""

CLEAN_SUCCESS = Counter(
    {
        LedgerType.EXECUTION_STARTED: 1,
        LedgerType.TOOL_CALL_MAPPED: 1,
        LedgerType.ATTEMPT_CLAIMED: 1,
        LedgerType.ATTEMPT_CONCLUDED: 1,
        LedgerType.ACTION_EXECUTED: 1,
    }
)


def violations(world: World, published: Iterable[ApprovedIntent]) -> list[str]:
    """Every broken promise, in words; empty = none. Trusts nothing but topics and the sandbox's own logs."""
    found: list[str] = []
    outcomes, events = world.outcomes(), world.events()
    claims = {e.data.nonce: e for e in events if isinstance(e.data, Claimed)}
    intents = {(i.tenant_id, i.action_intent_id): i for i in published}
    found += [f"lost: {key} has no outcome" for key in intents if key not in outcomes]
    calls: Counter[str] = Counter()
    for receipt in world.receipts():
        marker = receipt["attempt"] or ""
        nonce = marker.partition(".")[2]
        calls[nonce] += 1
        if nonce not in claims:
            found.append(f"a receipt without a claim in the log: {marker}")
    found += [f"{count} receipts for one claim: {nonce}" for nonce, count in calls.items() if count > 1]
    applied: Counter[str] = Counter(a["idempotency_key"] for a in world.sandbox.applications() if a["operation"] in MAKING)
    found += [f"{count} objects made with one key: {key}" for key, count in applied.items() if count > 1]
    signals: dict[tuple[str, str], list[SignalType]] = defaultdict(list)
    for signal in world.signals().values():
        signals[signal.tenant_id, signal.data.action_intent_id].append(signal.type)
    for key, outcome in outcomes.items():
        wanted = {Status.SUCCEEDED: SignalType.ACTION_EXECUTED}.get(outcome.status, SignalType.ACTION_FAILED)
        if outcome.status is not Status.IN_DOUBT and wanted not in signals[key]:
            found.append(f"{key} is {outcome.status} without its signal")
    return found


def incomplete_ledgers(world: World, published: Iterable[ApprovedIntent]) -> dict[tuple[str, str], Counter[LedgerType]]:
    """Executions that succeeded at once and whose ledger is not exactly the five entries.

    A claim that was released (never sent; on a starved machine a read-back may take too long) is not clean: it must
    show as one more claim and one more conclusion, and nothing else.
    """
    types = ledger_types(world)
    released = Counter((e.tenant_id, e.action_intent_id) for e in world.events() if isinstance(e.data, Released))
    wrong = {}
    for intent in published:
        key = (intent.tenant_id, intent.action_intent_id)
        wanted = CLEAN_SUCCESS + Counter({LedgerType.ATTEMPT_CLAIMED: released[key], LedgerType.ATTEMPT_CONCLUDED: released[key]})
        if types[key] != wanted:
            wrong[key] = types[key]
    return wrong


def ledger_types(world: World) -> dict[tuple[str, str], Counter[LedgerType]]:
    """Distinct ledger entries of each execution, by type."""
    types: dict[tuple[str, str], Counter[LedgerType]] = defaultdict(Counter)
    for entry in world.ledger().values():
        types[entry.tenant_id, entry.action_intent_id][entry.type] += 1
    return types
