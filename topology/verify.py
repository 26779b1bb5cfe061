"""Finds what is wrong with the declared graph. The declarations are right when there is nothing to say."""

from collections.abc import Mapping

from topology.stages import OUTSIDERS, Stage, dead_letters
from topology.topic import Cleanup, Partitions, Retention, Topic


def problems(topics: Mapping[str, Topic], stages: Mapping[str, Stage]) -> tuple[str, ...]:
    """Every contradiction between topics and stages, as sentences; empty = the graph holds."""
    return (
        *_orphans(topics),
        *_unknown_parties(topics, stages),
        *_edges(topics, stages),
        *_partitioning(topics, stages),
        *_keys(topics),
        *_keeping(topics),
        *_logs(topics, stages),
        *_dead_letters(topics, stages),
    )


def _orphans(topics: Mapping[str, Topic]) -> list[str]:
    found = [f"{topic.short}: nobody writes it" for topic in topics.values() if not topic.writers]
    return found + [f"{topic.short}: nobody reads it" for topic in topics.values() if not topic.readers]


def _unknown_parties(topics: Mapping[str, Topic], stages: Mapping[str, Stage]) -> list[str]:
    known = {*stages, *OUTSIDERS}
    return [
        f"{topic.short}: {party!r} is neither a stage nor a party outside"
        for topic in topics.values()
        for party in sorted({*topic.writers, *topic.readers} - known)
    ]


def _edges(topics: Mapping[str, Topic], stages: Mapping[str, Stage]) -> list[str]:
    """A stage and a topic must tell the same story of each other, in both directions."""
    found = []
    for stage in stages.values():
        for verb, by_stage, by_topic in (
            ("reads", set(stage.all_reads), {topic.short for topic in topics.values() if stage.name in topic.readers}),
            ("writes", set(stage.all_writes), {topic.short for topic in topics.values() if stage.name in topic.writers}),
        ):
            found += [f"{stage.name} {verb} {short}, which is not declared" for short in sorted(by_stage - set(topics))]
            found += [f"{stage.name} {verb} {short}, but the topic does not say so" for short in sorted(by_stage & set(topics) - by_topic)]
            found += [f"{short} says {stage.name} {verb} it, but the stage does not" for short in sorted(by_topic - by_stage)]
    return found


def _partitioning(topics: Mapping[str, Topic], stages: Mapping[str, Stage]) -> list[str]:
    """Inputs and log of a stage lie side by side: partition n of each belongs to one owner, and so do its dead letters."""
    found = []
    for stage in stages.values():
        together = [short for short in (*stage.reads, stage.log) if short is not None and short in topics]
        kinds = {topics[short].partitions for short in together}
        if kinds - {Partitions.INTENT}:
            found.append(f"{stage.name}: its inputs and log must all be keyed by intent with P partitions: {', '.join(together)}")
        found += [
            f"{stage.name}: the table {short} must have one partition, or be keyed by intent and compacted"
            for short in stage.tables
            if short in topics and topics[short].partitions is not Partitions.ONE and topics[short].cleanup is not Cleanup.COMPACT
        ]
    return found


def _keys(topics: Mapping[str, Topic]) -> list[str]:
    found = [f"{topic.short}: a key has at least one part" for topic in topics.values() if not topic.key]
    return found + [
        f"{topic.short}: the tenant comes first in the key"
        for topic in topics.values()
        if "tenant_id" in topic.key and topic.key[0] != "tenant_id"
    ]


def _keeping(topics: Mapping[str, Topic]) -> list[str]:
    """Only a compacted topic may keep for ever, and only a deleting one may name an end."""
    return [
        f"{topic.short}: cleanup {topic.cleanup.value} and retention {topic.retention.value} contradict each other"
        for topic in topics.values()
        if (topic.cleanup is Cleanup.COMPACT) != (topic.retention is Retention.FOREVER)
    ]


def _logs(topics: Mapping[str, Topic], stages: Mapping[str, Stage]) -> list[str]:
    """A log is written by its stage, folded by exactly one, and covers the dedupe horizon if it decides."""
    found = []
    owners = {stage.log: stage for stage in stages.values() if stage.log is not None}
    if len(owners) != sum(stage.log is not None for stage in stages.values()):
        found.append("two stages have the same log")
    for topic in topics.values():
        if topic.is_decision_log and topic.short not in owners:
            found.append(f"{topic.short}: a decision log is the log of one stage")
        if topic.is_decision_log and topic.retention is not Retention.HORIZON:
            found.append(f"{topic.short}: a decision log is kept for the dedupe horizon")
    found += [f"{log}: the log of {stage.name} is written by it" for log, stage in owners.items() if log not in stage.writes]
    return found


def _dead_letters(topics: Mapping[str, Topic], stages: Mapping[str, Stage]) -> list[str]:
    wanted = {dead_letters(stage.name): stage for stage in stages.values() if stage.has_dead_letters}
    present = {topic.short for topic in topics.values() if topic.is_dead_letters}
    found = [f"{short}: this dead-letter topic is missing" for short in sorted(set(wanted) - present)]
    found += [f"{short}: no stage has these dead letters" for short in sorted(present - set(wanted))]
    for short in sorted(present & set(wanted)):
        stage = wanted[short]
        largest = max((topics[read].max_message_bytes for read in stage.reads if read in topics), default=0)
        if topics[short].max_message_bytes < 2 * largest:
            found.append(f"{short}: dead letters accept twice the input's size ({2 * largest} bytes)")
        if topics[short].writers != (stage.name,):
            found.append(f"{short}: only {stage.name} writes its dead letters")
    return found
