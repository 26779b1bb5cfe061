"""`enact submit`: publish approved intents as an upstream service would."""

import sys
import time
from collections.abc import Sequence
from typing import Annotated

import typer

from cli.context import AsJson, cluster
from cli.exit_codes import Exit
from cli.output import as_typed, end, print_json, refuse, say, text_of, warn
from enact.errors import EnactError
from enact.ids import execution_id
from enact.kafka.transport import OutRecord
from enact.publishing import WireFormat
from enact.records import ApprovedIntent
from enact.settings import KernelSettings, load

_SOURCE = "enact-cli"
_FLUSH_S = 60.0
_NEW_S = 3_600


def submit(
    file: Annotated[
        str, typer.Argument(help="A file with intents (JSON object, JSON array or JSON lines), or - for stdin.", show_default=False)
    ],
    *,
    tenant: Annotated[str | None, typer.Option(envvar="ENACT_TENANT", help="Tenant for intents that name none.")] = None,
    account: Annotated[str | None, typer.Option(envvar="ENACT_ACCOUNT", help="Account for intents that name none.")] = None,
    new: Annotated[
        bool, typer.Option("--new", help="To try things out: a new action_intent_id and one hour of time for intents that name none.")
    ] = False,
    wire_format: Annotated[WireFormat, typer.Option("--format", help="How the records are written.")] = WireFormat.JSON,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check only: publish nothing, and need no cluster.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check and publish approved intents. All or none: with one problem in the file nothing is published.

    Only the form is checked here; whether an intent may run is decided by validation, and `enact timeline` tells.
    """
    from cli.intent_file import read_intents

    text, name = _text(file, as_json=as_json), "stdin" if file == "-" else file
    found = read_intents(text, file=name, tenant=tenant, account=account, new_until_s=int(time.time()) + _NEW_S if new else None)
    if found.problems:
        _end_with(list(found.problems), as_json=as_json)
    if dry_run:
        _records(found.intents, topic="intents.approved", count=1, wire_format=wire_format, as_json=as_json)
        _tell_checked(found.intents, as_json=as_json)
        return
    try:
        with cluster() as door:
            topic, count = door.topic("intents.approved"), door.partition_count("intents.approved")
            records = _records(found.intents, topic=topic, count=count, wire_format=wire_format, as_json=as_json)
            for record in records:
                door.writer.send(record)
            door.writer.flush(_FLUSH_S)
    except EnactError as error:
        refuse(error, as_json=as_json)
    if as_json:
        told = [
            {"action_intent_id": one.action_intent_id, "execution_id": execution_id(one.action_intent_id), "partition": record.partition}
            for one, record in zip(found.intents, records, strict=True)
        ]
        print_json({"published": told})
        return
    first = found.intents[0]
    say(f"Published {_counted(len(records))}.")
    who = f"--tenant {first.tenant_id} --account {first.account_id}"
    say(f"Follow it: {as_typed(load(KernelSettings))} timeline {first.action_intent_id} {who}")


def _records(intents: Sequence[ApprovedIntent], *, topic: str, count: int, wire_format: WireFormat, as_json: bool) -> list[OutRecord]:
    """As they go onto the wire. Ends with exit code 3 and every problem if one cannot."""
    from enact.publishing import intent_record

    now_ms, records, problems = int(time.time() * 1_000), [], []
    for intent in intents:
        try:
            made = intent_record(intent, topic=topic, partition_count=count, source=_SOURCE, now_ms=now_ms, wire_format=wire_format)
            records.append(made)
        except EnactError as error:
            problems.append(f"{intent.action_intent_id[:128]}: {error.message}")
    if problems:
        _end_with(problems, as_json=as_json)
    return records


def _tell_checked(intents: Sequence[ApprovedIntent], *, as_json: bool) -> None:
    if as_json:
        print_json({"checked": [{"action_intent_id": one.action_intent_id} for one in intents], "published": []})
    else:
        say(f"The form of {_counted(len(intents))} is right; nothing was published.")


def _counted(count: int) -> str:
    return f"{count} intent{'' if count == 1 else 's'}"


def _text(file: str, *, as_json: bool) -> str:
    if file != "-":
        return text_of(file, "a file with intents, or - for stdin", as_json=as_json)
    if sys.stdin.isatty():
        warn("Reading intents from the terminal; end with Ctrl-D on a line of its own.")
    try:
        return sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError:
        end(Exit.REFUSED, "What came on stdin is not text in UTF-8; nothing was published.", as_json=as_json)


def _end_with(problems: list[str], *, as_json: bool) -> None:
    lines = "\n".join(f"  {problem}" for problem in problems)
    end(Exit.REFUSED, f"Nothing was published; correct this first:\n{lines}", as_json=as_json, problems=problems)
