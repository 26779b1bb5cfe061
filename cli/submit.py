"""`enact submit`: publish approved intents as an upstream service would."""

import sys
import time
from typing import Annotated

import typer

from cli.context import AsJson, cluster
from cli.exit_codes import Exit
from cli.output import as_typed, end, print_json, refuse, say, text_of, warn
from enact.errors import EnactError
from enact.ids import execution_id
from enact.kafka.transport import OutRecord
from enact.publishing import WireFormat
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
    as_json: AsJson = False,
) -> None:
    """Check and publish approved intents. All or none: with one problem in the file nothing is published.

    Only the form is checked here; whether an intent may run is decided by validation, and `enact timeline` tells.
    """
    from cli.intent_file import read_intents
    from enact.publishing import intent_record

    text, name = _text(file, as_json=as_json), "stdin" if file == "-" else file
    found = read_intents(text, file=name, tenant=tenant, account=account, new_until_s=int(time.time()) + _NEW_S if new else None)
    problems = list(found.problems)
    records: list[OutRecord] = []
    try:
        if problems:
            _end_with(problems, as_json=as_json)
        with cluster() as door:
            topic, count = door.topic("intents.approved"), door.partition_count("intents.approved")
            for intent in found.intents:
                try:
                    made = intent_record(
                        intent, topic=topic, partition_count=count, source=_SOURCE, now_ms=door.clock.wall_ms(), wire_format=wire_format
                    )
                    records.append(made)
                except EnactError as error:
                    problems.append(f"{intent.action_intent_id[:128]}: {error.message}")
            if problems:
                _end_with(problems, as_json=as_json)
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
    say(f"Published {len(records)} intent{'' if len(records) == 1 else 's'}.")
    who = f"--tenant {first.tenant_id} --account {first.account_id}"
    say(f"Follow it: {as_typed(load(KernelSettings))} timeline {first.action_intent_id} {who}")


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
