"""`enact dlq`: what the stages could not take, with the reason, and a way back. Works without the api."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.cancel import EXIT_OF
from cli.context import AsJson, Reason, cluster
from cli.exit_codes import Exit
from cli.output import end, facts, print_json, print_table, refuse, say, time_of
from enact.errors import EnactError
from topology.stages import STAGES, dead_letters, hyphenated

if TYPE_CHECKING:
    from cli.context import Cluster
    from enact.dead_letters import DeadLetters, Letter

app = typer.Typer(no_args_is_help=True, help="Dead letters: what a stage could not take, whole, with the reason.")

_NAMES = tuple(hyphenated(stage.name) for stage in STAGES.values() if stage.has_dead_letters)
_SHOWN_BYTES = 4_000


def _a_stage(text: str) -> str:
    if hyphenated(text) not in _NAMES:
        raise typer.BadParameter(f"the stages with dead letters are {', '.join(_NAMES)}.")
    return hyphenated(text)


Stage = Annotated[str, typer.Argument(help=f"Whose: {', '.join(_NAMES)}.", show_default=False, callback=_a_stage)]
At = Annotated[str, typer.Argument(help="Which, as partition:offset of the list.", show_default=False)]


@app.command("list")
def list_letters(
    stage: Stage,
    *,
    code: Annotated[str | None, typer.Option(help="Only those with this code.")] = None,
    limit: Annotated[int, typer.Option(help="How many, the newest first.", min=1)] = 50,
    as_json: AsJson = False,
) -> None:
    """What a stage could not take, newest first."""
    try:
        with cluster() as door:
            found = [one for one in _of(door, stage).all() if code in {None, one.code}]
    except EnactError as error:
        refuse(error, as_json=as_json)
    found.sort(key=lambda one: one.failed_at_ms, reverse=True)
    if as_json:
        print_json({"total": len(found), "dead_letters": [line_of(one) for one in found[:limit]]})
        return
    if not found:
        say(f"{stage} has no dead letters.")
        return
    rows = [[one.at, time_of(one.failed_at_ms), one.code, one.action_intent_id or "?", one.message] for one in found[:limit]]
    print_table(["at", "since", "code", "id", "why"], rows)
    if len(found) > limit:
        say(f"{len(found) - limit} older ones: add --limit {len(found)}.")


@app.command("show")
def show(stage: Stage, at: At, *, as_json: AsJson = False) -> None:
    """One dead letter: the reason, where it came from, what a redrive would do, and its bytes as they were."""
    try:
        with cluster() as door:
            letters = _of(door, stage)
            letter = letters.one(at)
            plan = letters.plan(letter)
    except EnactError as error:
        refuse(error, as_json=as_json)
    original = letter.record.value
    text = None if original is None else original[:_SHOWN_BYTES].decode(errors="replace")
    if as_json:
        print_json({**line_of(letter), "redrive": plan.course.value, "redrive_text": plan.sentence, "original": text})
        return
    facts({name: str(value) for name, value in line_of(letter).items() if value})
    facts({"redrive": plan.sentence})
    say("")
    say("(no value)" if text is None else text)


@app.command("redrive")
def redrive(
    stage: Stage,
    at: Annotated[list[str] | None, typer.Argument(help="Which, as partition:offset; none = all of --code.", show_default=False)] = None,
    *,
    reason: Reason,
    code: Annotated[str | None, typer.Option(help="All with this code.")] = None,
    limit: Annotated[int, typer.Option(help="How many at most, the oldest first.", min=1)] = 100,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this it is only said what would be done.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let dead letters run again. Without --yes nothing is changed, and it is said what would be."""
    if bool(at) == (code is not None):
        end(Exit.REFUSED, "Say which: either partition:offset of some of them, or --code for all of one kind.", as_json=as_json)
    told: list[dict[str, Any]] = []
    worst = Exit.OK
    try:
        with cluster() as door:
            letters = _of(door, stage)
            chosen = [letters.one(one) for one in at] if at else [one for one in letters.all() if one.code == code][:limit]
            for letter in chosen:
                line, result = _redriven(letters, letter, reason=reason) if yes else (_planned(letters, letter), Exit.OK)
                told.append(line)
                worst = max(worst, result)
    except EnactError as error:
        refuse(error, as_json=as_json)
    if as_json:
        print_json({"is_done": yes, "dead_letters": told})
    elif not told:
        say(f"{stage} has no dead letters with the code {code}.")
    else:
        print_table(["at", "id", "what", "said"], [[one["at"], one["id"] or "?", one["redrive"], one["text"]] for one in told])
        if not yes:
            say("Nothing was changed. Add --yes to do it.")
    raise typer.Exit(worst)


def line_of(letter: "Letter") -> dict[str, Any]:
    """A dead letter for programs."""
    return {
        "stage": letter.stage,
        "at": letter.at,
        "failed_at": time_of(letter.failed_at_ms),
        "code": letter.code,
        "message": letter.message,
        "tenant_id": letter.tenant_id or None,
        "id": letter.action_intent_id or None,
        "generation": letter.generation,
        "step": letter.step.value,
        "source": letter.source,
        "bytes": len(letter.record.value) if letter.record.value is not None else 0,
    }


def _planned(letters: "DeadLetters", letter: "Letter") -> dict[str, Any]:
    plan = letters.plan(letter)
    return {"at": letter.at, "id": letter.action_intent_id or None, "redrive": plan.course.value, "text": plan.sentence}


def _redriven(letters: "DeadLetters", letter: "Letter", *, reason: str) -> tuple[dict[str, Any], Exit]:
    """One after the other; what cannot be redriven does not keep the next from it."""
    from enact.commands import CommandRefusedError

    line: dict[str, Any] = {"at": letter.at, "id": letter.action_intent_id or None}
    try:
        answer = letters.redrive(letter, reason=reason)
    except CommandRefusedError as error:
        return {**line, "redrive": "REFUSED", "text": error.message}, Exit.REFUSED
    if answer is None:
        return {**line, "redrive": "RETURNED", "text": "Given back to validation."}, Exit.OK
    return {**line, "redrive": type(answer).__name__.upper(), "text": answer.message}, EXIT_OF[type(answer)]


def _of(door: "Cluster", stage: str) -> "DeadLetters":
    from enact.dead_letters import DeadLetters

    return DeadLetters(door.door, stage=stage, topic=door.topic(dead_letters(stage)), returned=door.topic("intents.returned"))
