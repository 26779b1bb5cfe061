"""`enact switch`: stop calls, let them go on, and see what is stopped. Works without the api."""

from typing import Annotated, Any

import typer

from cli.context import ApiUrl, AsJson, Reason, cluster
from cli.output import as_typed, print_json, print_table, refuse, say, time_of, warn
from cli.switch_report import doubt_about, found_there, say_found
from enact.errors import EnactError
from enact.records import Switch, SwitchMode, SwitchState
from enact.settings import KernelSettings, load
from enact.switch_commands import is_named

app = typer.Typer(help="Kill switches: stop calls within two seconds, everywhere.", no_args_is_help=True)

Scope = Annotated[str, typer.Argument(help="global, tenant:<id>, action_type:<name> or connector:<name>.", show_default=False)]


@app.command("engage")
def engage(
    scope: Scope,
    *,
    reason: Reason,
    reject: Annotated[bool, typer.Option("--reject", help="End what comes, and what is held, as FAILED instead of holding it.")] = False,
    url: ApiUrl = None,
    as_json: AsJson = False,
) -> None:
    """Stop a scope. No call starts later than two seconds after this returns; what is held goes on when released."""
    try:
        with cluster() as door:
            switch = door.switches().engage(scope, reason=reason, mode=SwitchMode.REJECT if reject else SwitchMode.HOLD)
            if not as_json:
                _say_stopped(switch)
            body, why_not = found_there(scope, url)
            doubt = doubt_about(scope, is_in_registry=is_named(door.door, scope), body=body)
    except EnactError as error:
        refuse(error, as_json=as_json)
    if as_json:
        print_json({**_body(switch), "affected": body and body["affected"], "affected_unknown": why_not or None, "note": doubt})
        return
    say_found(body, why_not)
    if doubt:
        warn(doubt)
    enact = as_typed(load(KernelSettings))
    say(f"Release it with: {enact} switch release {scope} --engagement {switch.engagement_id} --reason 'say why'")


def _say_stopped(switch: Switch) -> None:
    """At once: whoever stops something wants to know that it is stopped."""
    what = "ended as FAILED" if switch.mode is SwitchMode.REJECT else "held until it is released or its time is over"
    say(f"Stopped: {switch.scope}. From at most two seconds after now no new call starts; what comes is {what}. Calls under way finish.")


@app.command("release")
def release(
    scope: Scope,
    *,
    reason: Reason,
    engagement: Annotated[str | None, typer.Option(help="Which engagement; needed if there are several.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Release every open engagement of the scope.")] = False,
    as_json: AsJson = False,
) -> None:
    """End an engagement. The scope goes on when its last one is released."""
    try:
        with cluster() as door:
            released = door.switches().release(scope, reason=reason, engagement_id=engagement, is_all=everything)
            left = [one for one in door.switches().switches() if one.scope == scope and one.state is not SwitchState.RELEASED]
    except EnactError as error:
        refuse(error, as_json=as_json)
    if as_json:
        print_json({"released": [_body(one) for one in released], "still_engaged": [_body(one) for one in left]})
        return
    say(f"Released {len(released)} of {scope}.")
    say(f"{scope} is still stopped by {len(left)} other engagement(s)." if left else "What was held goes on now.")


@app.command("list")
def list_switches(
    everything: Annotated[bool, typer.Option("--all", help="Show released ones too.")] = False, as_json: AsJson = False
) -> None:
    """What is stopped, since when, by whom and why."""
    try:
        with cluster() as door:
            found = [one for one in door.switches().switches() if everything or one.state is not SwitchState.RELEASED]
    except EnactError as error:
        refuse(error, as_json=as_json)
    if as_json:
        print_json([_body(one) for one in found])
    elif not found:
        say("Nothing is stopped.")
    else:
        rows = [[one.scope, one.state.value, one.mode.value, time_of(one.at_ms), one.actor, one.reason, one.engagement_id] for one in found]
        print_table(["scope", "state", "mode", "since", "who", "why", "engagement"], rows)


def _body(switch: Switch) -> dict[str, Any]:
    return {
        "scope": switch.scope,
        "engagement_id": switch.engagement_id,
        "state": switch.state.value,
        "mode": switch.mode.value,
        "actor": switch.actor,
        "reason": switch.reason,
        "at": time_of(switch.at_ms),
    }
