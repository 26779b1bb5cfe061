"""`enact registry`: which action types there are, and adding versions of them."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.context import AsJson, cluster
from cli.exit_codes import Exit
from cli.output import end, print_json, print_table, refuse, say, text_of
from enact.errors import EnactError
from enact.records import ActionType
from enact.registry import entry_digest

app = typer.Typer(help="The registry: how each action type becomes a tool call, by version.", no_args_is_help=True)


@app.command("apply")
def apply(
    files: Annotated[
        list[Path] | None, typer.Argument(help="YAML files with entries; none = the entries that ship with enact.", show_default=False)
    ] = None,
    sandbox: Annotated[bool, typer.Option("--sandbox", help="With the shipped entries, also those of the practice world.")] = False,
    as_json: AsJson = False,
) -> None:
    """Add what the registry does not hold yet. A version never changes once applied; run it as often as you like."""
    from connectors.catalogue import argument_schemas, promises, registry_files
    from enact.registry_file import read_entries

    if files:
        texts = [(str(path), text_of(str(path), "a YAML file with registry entries", as_json=as_json)) for path in files]
    else:
        texts = [(name, file.read_text(encoding="utf-8")) for name, file in registry_files(with_sandbox=sandbox)]
    try:
        entries = [
            entry
            for name, text in texts
            for entry in read_entries(text, file=name, argument_schemas=argument_schemas(), promises=promises())
        ]
    except EnactError as error:
        end(Exit.REFUSED, error.message, as_json=as_json, error_code=error.code.value)
    if not entries:
        end(Exit.REFUSED, f"{', '.join(name for name, _ in texts)} holds no entry; nothing was applied.", as_json=as_json)
    try:
        with cluster() as door:
            added = door.registry().apply(entries)
    except EnactError as error:
        refuse(error, as_json=as_json)
    if as_json:
        print_json({"added": [_body(one) for one in added], "unchanged": len(entries) - len(added)})
        return
    for one in added:
        say(f"added {one.action_type} version {one.registry_version} ({one.tool_name})")
    say(f"{len(added)} added, {len(entries) - len(added)} already there.")


@app.command("list")
def list_entries(as_json: AsJson = False) -> None:
    """Every version of every action type."""
    try:
        with cluster() as door:
            entries = door.registry().view().entries()
    except EnactError as error:
        refuse(error, as_json=as_json)
    if as_json:
        print_json([_body(one) for one in entries])
    elif not entries:
        say("The registry is empty: fill it with `enact registry apply`.")
    else:
        rows = [
            [one.action_type, str(one.registry_version), one.tool_name, one.effect_class.kind.value, one.risk_class.value, one.description]
            for one in entries
        ]
        print_table(["action type", "version", "tool", "effect class", "risk", "what it does"], rows)


def _body(entry: ActionType) -> dict[str, Any]:
    return {
        "action_type": entry.action_type,
        "registry_version": entry.registry_version,
        "tool_name": entry.tool_name,
        "connector": entry.connector,
        "effect_class": entry.effect_class.kind.value,
        "risk_class": entry.risk_class.value,
        "created_at": entry.created_at,
        "deprecated_at": entry.deprecated_at,
        "digest": entry_digest(entry),
        "description": entry.description,
    }
