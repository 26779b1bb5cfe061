"""`enact redrive`: let an execution that ended without effect run again. Works without the api."""

from typing import Annotated

import typer

from cli.cancel import OptionalAccount, Wait, either, tell
from cli.context import AsJson, IntentId, Reason, Tenant, cluster
from cli.output import refuse
from enact.errors import EnactError
from enact.records import Step


def redrive(
    intent_id: IntentId,
    *,
    tenant: Tenant,
    reason: Reason,
    step: Annotated[Step, typer.Option(help="What to run again: the action, or its compensation.")] = Step.EXECUTE,
    account: OptionalAccount = None,
    timeout: Wait = 10.0,
    as_json: AsJson = False,
) -> None:
    """Let an execution that ended without effect run again.

    An action is decided afresh, a compensation goes on with the call it had. Of one that never began, the intent is sent again.
    """
    try:
        with cluster() as door:
            answer = either(
                intent_id,
                lambda one: door.commands().redrive(
                    tenant_id=tenant, action_intent_id=one, account_id=account, reason=reason, step=step, timeout_s=timeout
                ),
            )
    except EnactError as error:
        refuse(error, as_json=as_json)
    tell(answer, as_json=as_json)
