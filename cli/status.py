"""`enact status`, `timeline` and `list`: what happened, in plain words, through the api."""

from typing import Annotated, Any
from urllib.parse import quote

import typer

from cli.context import Account, ApiUrl, AsJson, IntentId, Tenant, api_url
from cli.exit_codes import Exit
from cli.http import ApiAnswer, get
from cli.output import end, facts, print_json, print_table, refuse, say, warn
from enact.errors import EnactError

_OLD_MS = 5_000
_USUAL_NOISE = 2
"""A call that works at once: its beginning and its end."""

_FOUND = 200
_BAD_REQUEST = 400
_UNKNOWN = 404


def status(intent_id: IntentId, tenant: Tenant, account: Account, url: ApiUrl = None, as_json: AsJson = False) -> None:
    """How one execution stands."""
    body = ask_one(intent_id, "status", tenant=tenant, account=account, url=url, as_json=as_json)
    if as_json:
        print_json(body)
        return
    say(f"{body['status']}  {body['status_text']}")
    tries = body["attempt_count"]
    facts(
        {
            "why": body["error_message"],
            "code": body["error_code"],
            "undone": body["compensation_text"],
            "action": body["action_type"],
            "tried": f"{tries} times" if tries > 1 else ("once" if tries else "not yet"),
            "started": body["started_at"],
            "ended": body["completed_at"],
            "valid until": None if body["completed_at"] else body["expires_at"],
            "made": _objects(body["external_object_refs"]),
            "execution": body["execution_id"],
        }
    )


def timeline(
    intent_id: IntentId,
    *,
    tenant: Tenant,
    account: Account,
    everything: Annotated[bool, typer.Option("--all", help="Each try and each wait too, not only their sum.")] = False,
    url: ApiUrl = None,
    as_json: AsJson = False,
) -> None:
    """The story of one execution: decision, approval, execution, outcome. `--json` always holds everything."""
    body = ask_one(intent_id, "timeline", tenant=tenant, account=account, url=url, as_json=as_json)
    if as_json:
        print_json(body)
        return
    say(f"{body['execution_id']}  {body['status']}")
    for phase in body["phases"]:
        say("")
        say(f"{phase['phase'].capitalize():<10} {phase['text']}{_at(phase['at'])}")
        steps = phase.get("steps", ())
        for step in (one for one in steps if everything or not one["is_noise"]):
            say(f"{'':<10} {'  ' if step['is_noise'] else ''}· {step['text']}{_at(step['at'])}")
            if step["cause"]:
                say(f"{'':<10}   {step['cause']}")
        hidden = 0 if everything else sum(step["is_noise"] for step in steps)
        if hidden > _USUAL_NOISE:
            say(f"{'':<10}   (each try and each wait: --all)")
        for name in ("decision_id", "proposal_id"):
            if phase.get(name):
                say(f"{'':<10} {name.removesuffix('_id')}: {phase[name]}")
        if phase.get("external_object_refs"):
            say(f"{'':<10} made: {_objects(phase['external_object_refs'])}")
        if phase.get("undone"):
            say(f"{'':<10} {phase['undone']}")
        if phase.get("next_step"):
            say(f"{'':<10} Next: {phase['next_step']}")


def list_executions(
    *,
    tenant: Tenant,
    account: Account,
    status: Annotated[list[str] | None, typer.Option(help="Only these statuses; may be repeated. RUNNING means EXECUTING.")] = None,
    limit: Annotated[int, typer.Option(help="How many, 1 to 100.", min=1, max=100)] = 50,
    cursor: Annotated[str | None, typer.Option(help="next_cursor of the page before.")] = None,
    url: ApiUrl = None,
    as_json: AsJson = False,
) -> None:
    """The executions of an account, newest first."""
    query = [("limit", str(limit)), *(("status", one) for one in status or ()), *([("cursor", cursor)] if cursor else [])]
    body = ask(f"/accounts/{quote(account, safe='')}/executions", query, tenant=tenant, url=url, as_json=as_json)
    if as_json:
        print_json(body)
        return
    rows = [
        [
            row["action_intent_id"],
            row["status"],
            row["action_type"],
            row["created_at"],
            row["error_message"] or _objects(row["external_object_refs"]),
        ]
        for row in body["executions"]
    ]
    if not rows:
        say("There are no such executions in this account.")
        return
    print_table(["id", "status", "action", "since", "what came of it"], rows)
    if body["next_cursor"]:
        say(f"More: add --cursor {body['next_cursor']}")


def ask_one(intent_id: str, view: str, *, tenant: str, account: str, url: str | None, as_json: bool) -> dict[str, Any]:
    """A view of one execution. Ends with its exit code if the api does not answer with it."""
    return ask(f"/executions/{quote(intent_id, safe='')}/{view}", [("account_id", account)], tenant=tenant, url=url, as_json=as_json)


def ask(path: str, query: list[tuple[str, str]], *, tenant: str, url: str | None, as_json: bool) -> dict[str, Any]:
    """What the api answers; an old answer is said to be old. Ends with its exit code if there is none."""
    try:
        answer = get(api_url(url), path, tenant=tenant, query=query)
    except EnactError as error:
        refuse(error, as_json=as_json)
    _check(answer, as_json=as_json)
    if answer.staleness_ms is not None and answer.staleness_ms > _OLD_MS:
        warn(f"Note: this answer may be {answer.staleness_ms // 1000} s old; the api has not reached the end of the ledger since.")
    return answer.body


def _check(answer: ApiAnswer, *, as_json: bool) -> None:
    if answer.status == _FOUND:
        return
    code = {_BAD_REQUEST: Exit.REFUSED, _UNKNOWN: Exit.NOT_FOUND}.get(answer.status, Exit.PROBLEM)
    end(code, str(answer.body.get("message", f"The api answered {answer.status}.")), as_json=as_json, http_status=answer.status)


def _objects(refs: list[dict[str, Any]]) -> str:
    return ", ".join(ref["object_url"] or f"{ref['system']} {ref['object_type']} {ref['object_id']}" for ref in refs)


def _at(text: str | None) -> str:
    return f"  ({text})" if text else ""
