"""`enact resolve`: say what a person found in the other system. Works without the api."""

from enum import StrEnum
from typing import Annotated

import typer

from cli.cancel import OptionalAccount, Wait, either, tell
from cli.context import AsJson, IntentId, Reason, Tenant, cluster
from cli.exit_codes import Exit
from cli.output import end, refuse
from enact.errors import EnactError
from enact.records import ExternalRef, Step


class Finding(StrEnum):
    """What a person found."""

    APPLIED = "applied"
    NOT_APPLIED = "not-applied"


def resolve(
    intent_id: IntentId,
    *,
    tenant: Tenant,
    finding: Annotated[Finding, typer.Option("--as", help="What you found in the other system.", show_default=False)],
    reason: Reason,
    ref: Annotated[list[str] | None, typer.Option(help="An object you found, as system:type:id; may be repeated.")] = None,
    attempt: Annotated[int | None, typer.Option(help="Which attempt; none = those in doubt.", min=1)] = None,
    step: Annotated[Step, typer.Option(help="Which step is in doubt.")] = Step.EXECUTE,
    account: OptionalAccount = None,
    timeout: Wait = 10.0,
    as_json: AsJson = False,
) -> None:
    """End a doubt: the call was applied, or it was not. Look first; a wrong "not applied" may be contradicted later."""
    refs = tuple(_ref(text, as_json=as_json) for text in ref or ())
    if refs and finding is Finding.NOT_APPLIED:
        end(Exit.REFUSED, "An object that you found means that it was applied: use --as applied, or leave --ref out.", as_json=as_json)
    try:
        with cluster() as door:
            answer = either(
                intent_id,
                lambda one: door.commands().resolve(
                    tenant_id=tenant,
                    action_intent_id=one,
                    account_id=account,
                    is_applied=finding is Finding.APPLIED,
                    reason=reason,
                    refs=refs,
                    attempt=attempt,
                    step=step,
                    timeout_s=timeout,
                ),
            )
    except EnactError as error:
        refuse(error, as_json=as_json)
    tell(answer, as_json=as_json)


def _ref(text: str, *, as_json: bool) -> ExternalRef:
    system, _, rest = text.partition(":")
    object_type, _, object_id = rest.partition(":")
    if not (system and object_type and object_id):
        end(Exit.REFUSED, "A --ref is written system:type:id, for example crm:Task:00T5g000003.", as_json=as_json)
    return ExternalRef(system=system, object_type=object_type, object_id=object_id)
