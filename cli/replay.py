"""`enact replay`: move a stopped stage's offsets back, so that it reads again. No call is made by that: the log decides."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer

from cli.context import AsJson, Cluster, cluster, kafka_settings, topic_prefix
from cli.exit_codes import Exit
from cli.output import as_typed, end, print_json, print_table, refuse, say
from cli.replay_plan import FromBeginning, FromOffsets, FromTimestamp, Move, Origin, ReplayRefusedError, plan
from cli.up_file import running
from enact.errors import EnactError
from enact.kafka.admin import KafkaAdmin
from enact.kafka.inspection import Inspection
from enact.kafka.transport import TopicPartition
from enact.settings import KernelSettings, load
from topology.deployment.workload import Workload
from topology.stages import RUNNING_STAGES, STAGES, Stage, group_name, hyphenated
from topology.topics import TOPICS

REPLAYABLE = tuple(name for name in RUNNING_STAGES if name != "api")
_IDLE = frozenset({"EMPTY", "DEAD"})

StageName = Annotated[str, typer.Argument(metavar="STAGE", help=f"One of {', '.join(REPLAYABLE)}.", show_default=False)]


def replay(
    stage: StageName,
    *,
    beginning: Annotated[bool, typer.Option("--from-beginning", help="Everything that the logs still hold.")] = False,
    offset: Annotated[
        list[str] | None,
        typer.Option("--from-offset", metavar="P:N", help="Partition P from offset N; may be repeated.", show_default=False),
    ] = None,
    timestamp: Annotated[
        str | None,
        typer.Option("--from-timestamp", metavar="T", help="From what the broker took at T on: 2026-11-21T18:00:00Z.", show_default=False),
    ] = None,
    topic: Annotated[
        list[str] | None, typer.Option(help="Only this input or log of the stage (`tool-calls`); may be repeated.", show_default=False)
    ] = None,
    partition: Annotated[list[int] | None, typer.Option(help="Only this partition; may be repeated.", show_default=False)] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be read again and what would come of it; move nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Let a stopped stage read again from an earlier offset; nothing is called twice.

    Its inputs and its decision log are moved. What it had told is told again with the same ids, what was lost on the way is repaired.
    Refused while the stage runs, and for offsets that the log does not hold. Nothing is ever skipped: a replay only goes back.
    """
    try:
        declared = _stage(stage)
        origin = _origin(beginning=beginning, offsets=offset, timestamp=timestamp)
        wanted = _topics(declared, topic, origin)
        moved, prospects = _replay(declared, origin, wanted, partition, is_dry=dry_run)
    except EnactError as error:
        refuse(error, as_json=as_json)
    except ValueError as error:
        end(Exit.USAGE, str(error), as_json=as_json)
    if as_json:
        print_json(_body(declared, moved, prospects, is_dry=dry_run))
    else:
        _tell(declared, moved, prospects, is_dry=dry_run)


def _replay(
    stage: Stage, origin: Origin, topics: Sequence[str], only: Sequence[int] | None, *, is_dry: bool
) -> tuple[tuple[Move, ...], Mapping[str, int]]:
    """The moves, made unless `is_dry`, and what a dry run found. Raises: EnactError; ValueError for a partition that is not there."""
    settings = load(KernelSettings)
    kafka, prefix = kafka_settings(settings), topic_prefix(settings)
    admin, group = KafkaAdmin(kafka), group_name(stage.name, prefix)
    _require_idle(stage, group, Inspection(kafka), settings)
    with cluster() as door:
        names = [door.topic(short) for short in topics]
        partitions = _partitions(admin, names, only, origin)
        moves = plan(origin, group, partitions, admin)
        if is_dry:
            return moves, _prospects(stage, moves, door)
    changes = {move.partition: move.target for move in moves if move.is_change}
    admin.set_group_offsets(group, changes, is_overwriting=True)
    return moves, {}


def _require_idle(stage: Stage, group: str, inspection: Inspection, settings: KernelSettings) -> None:
    """Raises: ReplayRefusedError while anybody is in the group. The broker would refuse it too: nobody can come in between."""
    facts = inspection.groups([group])[group]
    if not facts.member_count and facts.state in _IDLE:
        return
    enact, name = as_typed(settings), hyphenated(stage.name)
    here = running(settings.data_dir)
    if settings.kafka.bootstrap_servers is None or any(one.partition(".")[0] == stage.name for one in here.health_ports):
        how = f"`enact up` (pid {here.pid}) runs it: end that with Ctrl-C and give `{enact} up --without {name}`, then this command again"
    else:
        kind = "statefulset" if Workload(stage).keeps_state else "deployment"
        how = (
            f"end its processes (Kubernetes: `kubectl scale {kind}/{name} --replicas=0`; containers: `docker compose stop {name}`; "
            "a terminal: Ctrl-C), then give this command again"
        )
    where = f" at {', '.join(facts.hosts)}" if facts.hosts else ""
    members = f"{facts.member_count} member{'' if facts.member_count == 1 else 's'}{where}"
    raise ReplayRefusedError(
        f"The group {group} is live ({members}), so nothing was changed: what it commits next would undo a replay. First {how}. "
        "A process that was killed counts as a member until the group's session is over (6 s on enact's own brokers)."
    )


def _prospects(stage: Stage, moves: Sequence[Move], door: Cluster) -> Mapping[str, int]:
    from cli.replay_prospect import prospect

    if stage.log is None or stage.name == "recording":
        return {}
    kinds = {door.topic(short): TOPICS[short].records[0] for short in (*stage.reads, stage.log)}
    return prospect(moves, log=door.topic(stage.log), kinds=kinds, open_reader=door.open_reader, clock=door.clock)


def _stage(name: str) -> Stage:
    """Raises: ValueError naming what can be replayed."""
    found = name.replace("-", "_")
    if found == "api":
        raise ValueError("The api has no group: delete its database below the data folder, and it reads the whole ledger again.")
    if found not in REPLAYABLE:
        raise ValueError(f"There is no stage {name} to replay; the stages are {', '.join(REPLAYABLE)}.")
    return STAGES[found]


def _origin(*, beginning: bool, offsets: Sequence[str] | None, timestamp: str | None) -> Origin:
    """Raises: ValueError unless exactly one is given, and written as it should be."""
    if sum((beginning, bool(offsets), timestamp is not None)) != 1:
        raise ValueError("Say from where: one of --from-beginning, --from-offset P:N, --from-timestamp T.")
    if offsets:
        return FromOffsets(dict(_place(text) for text in offsets))
    if timestamp is None:
        return FromBeginning()
    try:
        at = datetime.fromisoformat(timestamp)
    except ValueError:
        at = datetime.min  # noqa: DTZ901 - stands for "not a time": it has no zone either
    if at.tzinfo is None:
        raise ValueError(f"--from-timestamp {timestamp}: write a time with its zone, as 2026-11-21T18:00:00Z.")
    return FromTimestamp(int(at.timestamp() * 1000))


def _place(text: str) -> tuple[int, int]:
    partition, _, offset = text.partition(":")
    if not (partition.isdecimal() and offset.isdecimal()):
        raise ValueError(f"--from-offset {text}: write PARTITION:OFFSET, as 3:1200.")
    return int(partition), int(offset)


def _topics(stage: Stage, given: Sequence[str] | None, origin: Origin) -> tuple[str, ...]:
    """Short names. Raises: ValueError for one that the stage does not read; for an offset that could mean several topics."""
    readable = (*stage.reads, *((stage.log,) if stage.log else ()))
    if foreign := sorted(set(given or ()) - set(readable)):
        raise ValueError(f"--topic {foreign[0]}: {stage.name} reads {', '.join(readable)}.")
    wanted = tuple(short for short in readable if short in given) if given else readable
    if isinstance(origin, FromOffsets) and len(wanted) != 1:
        raise ValueError(f"An offset belongs to one topic: name it with --topic, one of {', '.join(readable)}.")
    return wanted


def _partitions(admin: KafkaAdmin, names: Sequence[str], only: Sequence[int] | None, origin: Origin) -> list[TopicPartition]:
    """Raises: ValueError for a partition or topic that is not there."""
    found = admin.describe_topics(names)
    if missing := [name for name in names if name not in found]:
        raise ValueError(f"The topic {missing[0]} does not exist: `enact topics apply` makes it; is ENACT_TOPIC_PREFIX right?")
    count = min(one.partition_count for one in found.values())
    asked = {*(only or ()), *(origin.offsets if isinstance(origin, FromOffsets) else ())}
    if outside := sorted(number for number in asked if not 0 <= number < count):
        raise ValueError(f"There is no partition {outside[0]}: they are numbered 0 to {count - 1}.")
    return [TopicPartition(name, number) for name in names for number in range(count) if not only or number in only]


def _tell(stage: Stage, moves: Sequence[Move], prospects: Mapping[str, int], *, is_dry: bool) -> None:
    """For people."""
    from cli.replay_prospect import WORDS

    rows = [
        [
            move.partition.topic,
            str(move.partition.partition),
            f"{move.begin}-{move.end}",
            "none" if move.committed is None else str(move.committed),
            str(move.target),
            str(move.again),
            str(move.lost),
        ]
        for move in moves
    ]
    print_table(["topic", "partition", "log holds", "stood at", "reads from", "again", "lost"], rows)
    if not any(move.is_change for move in moves):
        say("Nothing to move: the group stands there already.")
        return
    for word, count in prospects.items():
        say(f"{count} {WORDS[word]}.")
    if is_dry and not prospects:
        say("Each is worked out again and sent with the same ids; who read it before drops it.")
    name = hyphenated(stage.name)
    say("Nothing was moved: leave out --dry-run to do it." if is_dry else f"Moved. It reads from there when {name} is started again.")


def _body(stage: Stage, moves: Sequence[Move], prospects: Mapping[str, int], *, is_dry: bool) -> dict[str, Any]:
    """For programs."""
    return {
        "stage": stage.name,
        "is_dry_run": is_dry,
        "partitions": [
            {
                "topic": move.partition.topic,
                "partition": move.partition.partition,
                "log_start": move.begin,
                "log_end": move.end,
                "committed": move.committed,
                "reads_from": move.target,
                "read_again": move.again,
                "lost": move.lost,
            }
            for move in moves
        ],
        "executions": dict(prospects),
    }
