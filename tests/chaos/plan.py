"""What goes wrong in a run, from a seed: which act, upon whom, when, for how long. Nothing here does anything."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.proxy.faults import Fault, Harm
from tests.chaos.proxy.frames import Api
from tests.e2e.intents import TENANTS

GROUPS: tuple[tuple[frozenset[int], str], ...] = (
    (frozenset({Api.PRODUCE}), "produce"),
    (frozenset({Api.FETCH}), "fetch"),
    (frozenset({Api.OFFSET_COMMIT}), "offset_commit"),
    (frozenset({Api.CONSUMER_GROUP_HEARTBEAT, Api.HEARTBEAT}), "heartbeat"),
    (frozenset({Api.JOIN_GROUP, Api.SYNC_GROUP, Api.FIND_COORDINATOR}), "group"),
    (frozenset({Api.METADATA, Api.LIST_OFFSETS, Api.OFFSET_FETCH}), "metadata"),
    (frozenset({Api.INIT_PRODUCER_ID}), "producer_id"),
    (frozenset(), "everything"),
)
KINDS = {
    "kill": 6,
    "stop": 4,
    "proxy": 8,
    "world": 10,
    "clock": 3,
    "broker_kill": 1.2,
    "broker_stop": 1,
    "world_kill": 1,
    "world_freeze": 1,
    "engage": 3,
    "cancel": 4,
    "forge": 1,
    "expire_tokens": 1,
}
"""Kinds of acts and how often each is chosen."""
AT_MOST = {"broker_kill": 2, "broker_stop": 1, "world_kill": 2, "engage": 4, "forge": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One thing that goes wrong, `at_s` seconds into the run. `target` is who or what it is done to."""

    at_s: float
    kind: str
    target: str = ""
    for_s: float = 0.0
    detail: dict[str, Any] = field(default_factory=dict)
    fault: Fault | None = None


def plan_acts(chosen: random.Random, *, names: Sequence[str], over_s: float, count: int) -> list[Act]:
    """So many acts within `over_s` seconds upon stage processes of these names, in order of time; all end by themselves or by healing."""
    # A run has a temper: two kinds come three times as often.
    weights = dict(KINDS)
    for favoured in chosen.sample(sorted(weights), 2):
        weights[favoured] *= 3
    acts: list[Act] = []
    while len(acts) < count:
        kind = chosen.choices(list(weights), list(weights.values()))[0]
        if sum(act.kind == kind for act in acts) < AT_MOST.get(kind, count):
            acts.append(_MAKE[kind](chosen, chosen.uniform(0.5, over_s), names))
    return sorted(acts, key=lambda act: act.at_s)


def _kill(chosen: random.Random, at_s: float, names: Sequence[str]) -> Act:
    return Act(at_s=at_s, kind="kill", target=_process(chosen, names))


def _stop(chosen: random.Random, at_s: float, names: Sequence[str]) -> Act:
    return Act(at_s=at_s, kind="stop", target=_process(chosen, names), for_s=chosen.uniform(1, 9))


def _clock(chosen: random.Random, at_s: float, names: Sequence[str]) -> Act:
    offset_ms = chosen.choice((-1, 1)) * round(1000 * 10 ** chosen.uniform(-0.3, 3))
    return Act(at_s=at_s, kind="clock", target=_process(chosen, names), for_s=chosen.uniform(1, 6), detail={"offset_ms": offset_ms})


def _proxy(chosen: random.Random, at_s: float, names: Sequence[str]) -> Act:
    apis, group = chosen.choice(GROUPS)
    harm = chosen.choice(list(Harm))
    client = chosen.choice(("enact.*", *(f"enact.{name}" for name in (*names, "invocation.0"))))
    fault = Fault(
        harm=harm,
        for_s=chosen.uniform(1, 8),
        apis=apis,
        client=client,
        share=chosen.choice((0.1, 0.5, 1.0)),
        delay_ms=10 ** chosen.uniform(1, 3.3) if harm is Harm.DELAY else 0.0,
    )
    told = {"harm": harm.value, "apis": group, "share": fault.share, "delay_ms": round(fault.delay_ms)}
    return Act(at_s=at_s, kind="proxy", target=client, for_s=fault.for_s, fault=fault, detail=told)


def _world(chosen: random.Random, at_s: float, names: Sequence[str]) -> Act:
    rule: dict[str, Any] = dict(
        chosen.choice(
            (
                {"behaviour": "drop_after"},
                {"behaviour": "drop_before"},
                {"behaviour": "fail_before", "status": 503},
                {"behaviour": "fail_before", "status": 500},
                {"behaviour": "fail_after", "status": 500},
                {"behaviour": "fail_after", "status": 502},
                {"behaviour": "throttle", "retry_after_s": chosen.randint(1, 4)},
                {"behaviour": "slow", "hang_s": round(chosen.uniform(0.2, 6), 2)},
                {"behaviour": "hang_before", "hang_s": round(chosen.uniform(1, 12), 2)},
                {"behaviour": "hang_after", "hang_s": round(chosen.uniform(1, 12), 2)},
                {"behaviour": "reject"},
                {"behaviour": "huge"},
                {"behaviour": "broken_json"},
                {"behaviour": "redirect"},
                {"behaviour": "fail_before", "status": 503, "on": "token"},
                {"behaviour": "fail_before", "status": 401},
                {"behaviour": "drop_before", "on": "read"},
            )
        )
    )
    rule["count"] = chosen.randint(2, 25)
    if chosen.random() < 0.3:
        rule["tenant"] = chosen.choice(TENANTS)
    return Act(at_s=at_s, kind="world", target="sandbox", detail=rule)


def _engage(chosen: random.Random, at_s: float, names: Sequence[str]) -> Act:
    scope = chosen.choice(("global", *(f"tenant:{tenant}" for tenant in TENANTS), "action_type:SANDBOX_FIRE_ONCE", "connector:crm"))
    mode = "HOLD" if scope == "global" else chosen.choice(("HOLD", "HOLD", "REJECT"))
    return Act(at_s=at_s, kind="engage", target=scope, for_s=chosen.uniform(2, 7), detail={"mode": mode})


def _cancel(chosen: random.Random, at_s: float, names: Sequence[str]) -> Act:
    return Act(at_s=at_s, kind="cancel", detail={"choice": chosen.random()})


def _forge(chosen: random.Random, at_s: float, names: Sequence[str]) -> Act:
    return Act(at_s=at_s + 5, kind="forge", target="tool-calls", detail={"choice": chosen.random()})


def _plain(kind: str, least_s: float, most_s: float) -> Callable[[random.Random, float, Sequence[str]], Act]:
    def make(chosen: random.Random, at_s: float, names: Sequence[str]) -> Act:
        return Act(at_s=at_s, kind=kind, for_s=chosen.uniform(least_s, most_s))

    return make


def _process(chosen: random.Random, names: Sequence[str]) -> str:
    """Any stage process, invocation three times as often."""
    heart = [name for name in names if name.startswith("invocation")]
    return chosen.choice([*names, *heart, *heart])


_MAKE: dict[str, Callable[[random.Random, float, Sequence[str]], Act]] = {
    "kill": _kill,
    "stop": _stop,
    "proxy": _proxy,
    "world": _world,
    "clock": _clock,
    "broker_kill": _plain("broker_kill", 0, 6),
    "broker_stop": _plain("broker_stop", 0.5, 5),
    "world_kill": _plain("world_kill", 0, 0),
    "world_freeze": _plain("world_freeze", 0.5, 6),
    "engage": _engage,
    "forge": _forge,
    "expire_tokens": _plain("expire_tokens", 0, 0),
    "cancel": _cancel,
}
