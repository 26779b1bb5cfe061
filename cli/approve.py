"""`enact approve` and `enact approval-key`: sign approvals with a key of yours. For tests, demos and teams without an approval service."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from cli.approval_signing import Approver, new_key, read_key, with_key
from cli.context import AsJson
from cli.exit_codes import Exit
from cli.output import end, print_json, refuse, say, text_of, warn
from enact.canonical import parse_json
from enact.errors import EnactError
from enact.records import ApprovedIntent
from enact.records.codec import encode_json
from enact.settings import ApprovalSettings, KernelSettings, load

_NEW_S = 3_600


def approve(
    file: Annotated[str, typer.Argument(help="A file with intents (JSON object, JSON array or JSON lines).", show_default=False)],
    *,
    key: Annotated[Path, typer.Option(help="The private key, as `enact approval-key` writes it.", show_default=False)],
    audience: Annotated[str | None, typer.Option(help="The environment; none = ENACT_APPROVAL__AUDIENCE.", show_default=False)] = None,
    issuer: Annotated[
        str | None, typer.Option(help="Who issues it; none = the first of ENACT_APPROVAL__ISSUERS.", show_default=False)
    ] = None,
    approver: Annotated[str | None, typer.Option(help="Who approves; none = whom approval.approved_by names.", show_default=False)] = None,
    requester: Annotated[
        str | None, typer.Option(help="Who asked for it, never the approver; none = the proposal, by its id.", show_default=False)
    ] = None,
    valid_s: Annotated[
        int | None, typer.Option("--valid-for", min=1, help="Seconds; none = until the intent's deadline.", show_default=False)
    ] = None,
    tenant: Annotated[str | None, typer.Option(envvar="ENACT_TENANT", help="Tenant for intents that name none.")] = None,
    account: Annotated[str | None, typer.Option(envvar="ENACT_ACCOUNT", help="Account for intents that name none.")] = None,
    new: Annotated[bool, typer.Option("--new", help="A new action_intent_id and one hour of time for intents that name none.")] = False,
    out: Annotated[Path | None, typer.Option(help="Where the approved intents are written; none = stdout.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """Sign the approval of every intent in a file. All or none: with one problem in the file nothing is written.

    You vouch for what you sign: read it first. enact itself holds no private key and never signs.
    """
    from cli.intent_file import read_intents

    now_s = int(time.time())
    found = read_intents(
        text_of(file, "a file with intents", as_json=as_json),
        file=file,
        tenant=tenant,
        account=account,
        new_until_s=now_s + _NEW_S if new else None,
    )
    if found.problems:
        lines = "\n".join(f"  {problem}" for problem in found.problems)
        end(Exit.REFUSED, f"Nothing was signed; correct this first:\n{lines}", as_json=as_json, problems=list(found.problems))
    try:
        given = load(KernelSettings).approval
        with_ = Approver(
            key=read_key(key),
            issuer=_chosen(issuer, given, is_issuer=True, as_json=as_json),
            audience=_chosen(audience, given, is_issuer=False, as_json=as_json),
            name=approver,
            requester=requester,
            valid_s=valid_s,
        )
        signed = [with_.approve(intent, now_s) for intent in found.intents]
    except EnactError as error:
        refuse(error, as_json=as_json)
    _write(signed, out, as_json=as_json)


def approval_key(
    *,
    out: Annotated[Path, typer.Option(help="Where the private key is written, for you alone to read; never overwritten.")],
    jwks: Annotated[
        Path | None, typer.Option(help="The key set that the public half is added to; none = it is printed.", show_default=False)
    ] = None,
    kid: Annotated[str | None, typer.Option(help="The key's id; none = its thumbprint.", show_default=False)] = None,
    issuer: Annotated[
        str | None, typer.Option(help="The only issuer that it may sign for; none = any trusted one.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key pair that signs approvals.

    The private half is for whoever approves, the public half for the key set that enact is told of.
    """
    try:
        made = new_key(kid)
        made.write(out)
    except FileExistsError:
        end(Exit.REFUSED, f"{out} exists already, and a key is never overwritten: name another file.", as_json=as_json)
    except OSError as error:
        end(Exit.REFUSED, f"{out} cannot be written ({type(error).__name__}): name a file in a folder of yours.", as_json=as_json)
    except EnactError as error:
        refuse(error, as_json=as_json)
    try:
        count = with_key(jwks, made, issuer) if jwks is not None else 0
    except (EnactError, OSError) as error:
        out.unlink()
        said = error.message if isinstance(error, EnactError) else f"It cannot be written ({type(error).__name__})."
        end(Exit.REFUSED, f"{jwks}: {said} No key was made.", as_json=as_json)
    if as_json:
        print_json({"kid": made.kid, "private_key": str(out), "key_set": str(jwks) if jwks else None, "public": dict(made.public)})
    elif jwks is None:
        say(json.dumps({"keys": [dict(made.public)]}, indent=2))
    else:
        say(f"Key {made.kid}: the private half is in {out}; {jwks} now holds {count} key{'' if count == 1 else 's'}.")


def _chosen(given: str | None, settings: ApprovalSettings, *, is_issuer: bool, as_json: bool) -> str:
    usual = next(iter(settings.issuers), None) if is_issuer else settings.audience
    option, variable = ("--issuer", "ENACT_APPROVAL__ISSUERS") if is_issuer else ("--audience", "ENACT_APPROVAL__AUDIENCE")
    chosen = given or usual
    if not chosen:
        end(Exit.REFUSED, f"An approval names its issuer and its environment: give {option}, or set {variable}.", as_json=as_json)
    return chosen


def _write(signed: Sequence[ApprovedIntent], out: Path | None, *, as_json: bool) -> None:
    trees = [parse_json(encode_json(intent)) for intent in signed]
    text = trees[0] if len(trees) == 1 else trees
    if out is None:
        print_json(text)
        return
    try:
        out.write_text(json.dumps(text, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        end(Exit.REFUSED, f"{out} cannot be written ({type(error).__name__}).", as_json=as_json)
    if as_json:
        print_json({"written": str(out), "approved": [intent.action_intent_id for intent in signed]})
    else:
        warn(f"Signed {len(signed)} approval{'' if len(signed) == 1 else 's'} into {out}.")
