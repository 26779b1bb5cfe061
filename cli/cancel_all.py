"""`enact cancel-all`: ask that nothing (more) is done for a whole tenant. Works without the api."""

from dataclasses import asdict
from typing import Annotated

import typer

from cli.cancel import OptionalAccount
from cli.context import AsJson, Reason, Tenant, cluster
from cli.exit_codes import Exit
from cli.output import print_json, refuse, say
from enact.errors import EnactError

Patience = Annotated[float, typer.Option("--timeout", help="Seconds without any answer after which the rest counts as recorded.", min=0.0)]


def cancel_all(
    *, tenant: Tenant, reason: Reason, account: OptionalAccount = None, timeout: Patience = 60.0, as_json: AsJson = False
) -> None:
    """Ask that nothing (more) is done for a whole tenant.

    What is published while this runs is not covered: give it again.
    """
    try:
        with cluster() as door:
            told = door.cancel_all().give(tenant_id=tenant, account_id=account, reason=reason, timeout_s=timeout)
    except EnactError as error:
        refuse(error, as_json=as_json)
    if as_json:
        print_json(asdict(told))
    else:
        say(f"Accepted {told.accepted}: no later call is made for them; a call that is under way decides its own result.")
        if told.refused or told.left_alone:
            say(f"Not cancelled: {told.refused} that ended meanwhile or came into doubt, {told.left_alone} in doubt or too old before.")
        if told.unanswered:
            say(f"Recorded, not answered yet: {told.unanswered}. Give the command again to see what is left.")
    raise typer.Exit(Exit.RECORDED if told.unanswered else Exit.OK)
