"""`enact reconcile`: look once at everything the topics say, name what was lost on its way, and repair it if asked to."""

from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.context import AsJson, cluster
from cli.exit_codes import Exit
from cli.output import print_json, print_table, refuse, say
from enact.errors import EnactError
from enact.metrics import Remedy
from enact.settings import load

if TYPE_CHECKING:
    from cli.context import Cluster
    from enact.clock import Clock
    from enact.kafka.transport import Reader
    from services.reconciliation.repairs import Topics
    from services.reconciliation.survey import Found, Survey

READ_TIMEOUT_S = 600.0
SEND_TIMEOUT_S = 30.0

_WORDS = {
    Remedy.RETURNED: ("would be sent again", "sent again"),
    Remedy.EXPIRED: ("would be expired", "expired"),
    None: ("a person must look", "a person must look"),
}


def reconcile(
    *,
    repair: Annotated[
        bool, typer.Option("--repair", help="Do what is said, once each, as the stage would; without it nothing is changed.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing; this is what happens without --repair, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Look for executions that were lost on their way; with --repair, send them again.

    Reads admissions, executions, ledger and outcomes from their beginning. The bounds are those of the stage
    (ENACT_RECONCILIATION__...). Exit code 1 if something was found, also if it was repaired: look again in a minute.
    """
    is_repairing = repair and not dry_run
    try:
        with cluster() as door:
            survey = _survey(door)
            now_ms = door.clock.wall_ms()
            found = list(survey.findings(now_ms))
            if is_repairing:
                _repair(door, survey, found, now_ms)
    except EnactError as error:
        refuse(error, as_json=as_json)
    lines = [_line(one, is_repaired=is_repairing) for one in found]
    if as_json:
        body = {"executions": survey.execution_count, "unreadable": survey.unreadable_count, "is_repaired": is_repairing, "findings": lines}
        print_json(body)
    else:
        _tell(survey, lines, is_repaired=is_repairing)
    raise typer.Exit(Exit.PROBLEM if lines or survey.unreadable_count else Exit.OK)


def _survey(door: "Cluster") -> "Survey":
    """Everything that the topics hold now. Raises: BrokerError; ConfigurationError."""
    from services.reconciliation.settings import Settings
    from services.reconciliation.survey import Survey

    bounds = load(Settings).reconciliation.bounds
    topics = _topics(door)
    with closing(door.open_reader()) as reader:
        survey = Survey(topics, bounds, partition_count=reader.partition_count(topics.executions))
        _read(reader, survey, door.clock)
    return survey


def _read(reader: "Reader", survey: "Survey", clock: "Clock") -> None:
    from enact.kafka.transport import TopicPartition
    from enact.reading import read_between

    partitions = [TopicPartition(topic, p) for topic in survey.topics for p in range(reader.partition_count(topic))]
    begins, ends = reader.begin_offsets(partitions), reader.end_offsets(partitions)
    ranges = {tp: (begins[tp], ends[tp]) for tp in partitions}
    survey.learn(read_between(reader, ranges, clock=clock, timeout_s=READ_TIMEOUT_S))


def _topics(door: "Cluster") -> "Topics":
    from services.reconciliation.repairs import Topics

    return Topics(
        admissions=door.topic("admissions"),
        executions=door.topic("executions"),
        ledger=door.topic("ledger"),
        outcomes=door.topic("outcomes"),
        returned=door.topic("intents.returned"),
        notifications=door.topic("notifications"),
    )


def _repair(door: "Cluster", survey: "Survey", found: "list[Found]", now_ms: int) -> None:
    """Raises: DeliveryError if not everything was acknowledged; doing it twice does no harm."""
    for one in found:
        if (record := survey.repair(one, now_ms, name=f"{door.actor}:{now_ms}")) is not None:
            door.writer.send(record)
    door.writer.flush(SEND_TIMEOUT_S)


def _line(one: "Found", *, is_repaired: bool) -> dict[str, Any]:
    tenant_id, action_intent_id = one.who
    return {
        "tenant_id": tenant_id,
        "action_intent_id": action_intent_id,
        "generation": one.finding.generation,
        "status": one.finding.status.value if one.finding.status else None,
        "missing": one.finding.lack.value,
        "since_ms": one.finding.since_ms,
        "done": _WORDS[one.remedy][is_repaired],
    }


def _tell(survey: "Survey", lines: list[dict[str, Any]], *, is_repaired: bool) -> None:
    from services.reconciliation.judgement import Lack
    from services.reconciliation.repairs import TEXTS

    if survey.unreadable_count:
        say(f"{survey.unreadable_count} records could not be read: see the dead letters of reconciliation.")
    if not lines:
        say(f"{survey.execution_count} executions: each is at its end, or alive within its bound.")
        return
    rows = [[line["action_intent_id"], line["tenant_id"], line["status"] or "-", line["missing"], line["done"]] for line in lines]
    print_table(["id", "tenant", "status", "missing", "what"], rows)
    for lack in sorted({line["missing"] for line in lines}):
        say(f"{lack}: {TEXTS[Lack(lack)]}")
    say(f"{len(lines)} of {survey.execution_count} executions." + ("" if is_repaired else " Nothing was changed: add --repair to do it."))
