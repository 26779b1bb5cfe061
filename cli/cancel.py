"""`enact cancel`: ask that nothing (more) is done. Works without the api."""

from typing import Annotated

import typer

from cli.context import AsJson, Reason, Tenant, cluster
from cli.output import Exit, print_json, refuse, say, warn
from cli.status import IntentId
from enact.commands import Accepted, Answer, InDoubt, Recorded, TooLate
from enact.errors import EnactError

OptionalAccount = Annotated[str | None, typer.Option("--account", envvar="ENACT_ACCOUNT", help="Account id, checked if given.")]
Wait = Annotated[float, typer.Option("--timeout", help="Seconds to wait for the answer of the execution's owner.", min=0.0)]

EXIT_OF: dict[type[Answer], Exit] = {Accepted: Exit.OK, TooLate: Exit.TOO_LATE, InDoubt: Exit.IN_DOUBT, Recorded: Exit.RECORDED}


def cancel(
    intent_id: IntentId, *, tenant: Tenant, reason: Reason, account: OptionalAccount = None, timeout: Wait = 10.0, as_json: AsJson = False
) -> None:
    """Ask that an execution does nothing (more). What is under way decides itself; what is over stays."""
    try:
        with cluster() as door:
            answer = door.commands().cancel(
                tenant_id=tenant, action_intent_id=intent_id, account_id=account, reason=reason, timeout_s=timeout
            )
    except EnactError as error:
        refuse(error, as_json=as_json)
    tell(answer, as_json=as_json)


def tell(answer: Answer, *, as_json: bool) -> None:
    """Say an answer and end with its exit code."""
    code = EXIT_OF[type(answer)]
    if as_json:
        status = answer.status.value if answer.status is not None else None
        print_json({"answer": type(answer).__name__, "status": status, "command_id": answer.command_id, "message": answer.message})
    elif code in (Exit.OK, Exit.RECORDED):
        say(answer.message)
    else:
        warn(answer.message)
    raise typer.Exit(code)
