"""`enact cancel`: ask that nothing (more) is done. Works without the api."""

from collections.abc import Callable
from typing import Annotated

import typer

from cli.context import AsJson, IntentId, Reason, Tenant, cluster
from cli.exit_codes import Exit
from cli.output import print_json, refuse, say, warn
from enact.command_answers import Accepted, Answer, InDoubt, Recorded, Refused, TooLate
from enact.commands import UnknownExecutionError
from enact.errors import EnactError

OptionalAccount = Annotated[str | None, typer.Option("--account", envvar="ENACT_ACCOUNT", help="Account id, checked if given.")]
Wait = Annotated[float, typer.Option("--timeout", help="Seconds to wait for the answer of the execution's owner.", min=0.0)]

_EXECUTION = "exec-"
EXIT_OF: dict[type[Answer], Exit] = {
    Accepted: Exit.OK,
    TooLate: Exit.TOO_LATE,
    InDoubt: Exit.IN_DOUBT,
    Refused: Exit.REFUSED,
    Recorded: Exit.RECORDED,
}


def cancel(
    intent_id: IntentId, *, tenant: Tenant, reason: Reason, account: OptionalAccount = None, timeout: Wait = 10.0, as_json: AsJson = False
) -> None:
    """Ask that an execution does nothing (more). What is under way decides itself; what is over stays."""
    try:
        with cluster() as door:
            answer = either(
                intent_id,
                lambda one: door.commands().cancel(
                    tenant_id=tenant, action_intent_id=one, account_id=account, reason=reason, timeout_s=timeout
                ),
            )
    except EnactError as error:
        refuse(error, as_json=as_json)
    tell(answer, as_json=as_json)


def either(intent_id: str, give: Callable[[str], Answer]) -> Answer:
    """Give a command for an id as it was typed; an execution's own id, exec-<id>, means the intent's. Raises: what `give` does."""
    try:
        return give(intent_id)
    except UnknownExecutionError:
        if not intent_id.startswith(_EXECUTION):
            raise
        return give(intent_id.removeprefix(_EXECUTION))


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
