"""`enact doubt`: what is in doubt, the evidence of one, and how to end it. Through the api."""

import shlex
from typing import Any

import typer

from cli.context import Account, ApiUrl, AsJson, IntentId, Tenant
from cli.exit_codes import Exit
from cli.output import as_typed, end, facts, print_json, say
from cli.status import ask_one, list_executions
from enact.settings import KernelSettings, load

app = typer.Typer(no_args_is_help=True, help="What is in doubt: nobody can say whether it was done.")

_DOUBT = "IN_DOUBT"
_CLAIMED, _CONCLUDED, _RESOLVED, _RAISED, _MAPPED = (
    "ATTEMPT_CLAIMED",
    "ATTEMPT_CONCLUDED",
    "DOUBT_RESOLVED",
    "DOUBT_RAISED",
    "TOOL_CALL_MAPPED",
)
_LOOK_FOR = {
    "UPSERT": "one object whose {natural_key} is {key}",
    "IDEMPOTENT": "a request with Idempotency-Key {key}",
    "LOOKUP": "one object whose {natural_key} belongs to this action",
}
_LOOK_FOR_MARK = (
    "a request with X-Enact-Attempt {mark}; or, where nothing is kept of requests, what the action would have changed, since {at}"
)


@app.command("list")
def list_doubts(*, tenant: Tenant, account: Account, limit: int = 50, url: ApiUrl = None, as_json: AsJson = False) -> None:
    """The executions of an account that are in doubt, newest first."""
    list_executions(tenant=tenant, account=account, status=[_DOUBT], limit=limit, url=url, as_json=as_json)


@app.command("show")
def show(intent_id: IntentId, *, tenant: Tenant, account: Account, url: ApiUrl = None, as_json: AsJson = False) -> None:
    """The evidence of one doubt: what was asked, when, under which key, what to look for, and the commands that end it."""
    told = ask_one(intent_id, "ledger", tenant=tenant, account=account, url=url, as_json=as_json)
    execution = told["execution"]
    attempts = attempts_of(told["entries"])
    open_ones = [one for one in attempts if one["effect"] in {None, "UNKNOWN"}]
    if not open_ones or _DOUBT not in {execution["status"], execution["compensation_status"]}:
        end(Exit.REFUSED, f"It is not in doubt: its status is {execution['status']}.", as_json=as_json)
    asked = _asked(told["entries"])
    commands = _commands(execution, open_ones, tenant=tenant)
    look_for = [_look_for(asked, one) for one in open_ones]
    if as_json:
        print_json({"execution": execution, "asked": asked, "attempts": attempts, "look_for": look_for, "commands": commands})
        return
    say(f"{execution['execution_id']}  {execution['status']}")
    say(execution["status_text"])
    say("")
    facts({"action": execution["action_type"], **asked})
    for one in attempts:
        say("")
        say(f"Attempt {one['attempt']} ({one['step']})  {one['effect'] or 'no answer'}")
        facts({name: one[name] for name in ("claimed_at", "ended_at", "by", "code", "nonce", "owner", "lease_ms")})
    say("")
    say("Look in the other system for:")
    for text in look_for:
        say(f"  {text}")
    say("Found it, or not, then say so:")
    for command in commands:
        say(f"  {command}")


def attempts_of(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each claim of the ledger with the last that was said about it; those given back unsent are left out."""
    said: dict[tuple[str, int], dict[str, Any]] = {}
    for entry in entries:
        if entry["type"] in {_CONCLUDED, _RESOLVED} and entry["attempt"] is not None and entry["details"].get("effect"):
            said[entry["step"], entry["attempt"]] = entry
    attempts = []
    for claim in entries:
        if claim["type"] != _CLAIMED:
            continue
        last = said.get((claim["step"], claim["attempt"]), {"details": {}, "at": None})
        if last["details"].get("effect") == "RELEASED":
            continue
        attempts.append(
            {
                "step": claim["step"],
                "attempt": claim["attempt"],
                "claimed_at": claim["at"],
                "ended_at": last["at"],
                "effect": last["details"].get("effect"),
                "by": last["details"].get("by"),
                "code": last["details"].get("code"),
                **{name: claim["details"].get(name) for name in ("nonce", "owner", "lease_ms", "request_digest")},
            }
        )
    return attempts


def _asked(entries: list[dict[str, Any]]) -> dict[str, str | None]:
    """What was asked of the other system, as far as the ledger may know: names, keys and digests, never parameters."""
    known: dict[str, str] = {}
    for entry in entries:
        if entry["type"] in {_MAPPED, _CLAIMED, _RAISED}:
            known |= entry["details"]
    target = " ".join(known[name] for name in ("target_type", "target_id") if name in known)
    names = ("tool_name", "connector", "effect_class", "natural_key", "idempotency_key", "request_digest", "look_ups")
    return {"target": target or None, **{name: known.get(name) for name in names}}


def _look_for(asked: dict[str, str | None], attempt: dict[str, Any]) -> str:
    mark = _LOOK_FOR_MARK.format(mark=f"{attempt['attempt']}.{attempt['nonce']}", at=attempt["claimed_at"])
    known = _LOOK_FOR.get(asked["effect_class"] or "")
    if known is None or ("{natural_key}" in known and asked["natural_key"] is None):
        return mark
    return f"{known.format(natural_key=asked['natural_key'], key=asked['idempotency_key'])}; or {mark}"


def _commands(execution: dict[str, Any], attempts: list[dict[str, Any]], *, tenant: str) -> list[str]:
    """Both answers, ready to be pasted."""
    program, intent_id = as_typed(load(KernelSettings)), shlex.quote(execution["action_intent_id"])
    step = attempts[-1]["step"]
    start = f"{program} resolve {intent_id} --tenant {shlex.quote(tenant)}" + (f" --step {step}" if step != "execute" else "")
    return [
        f"{start} --as applied --reason 'found it' --ref SYSTEM:TYPE:ID",
        f"{start} --as not-applied --reason 'looked, and it is not there'",
    ]
