"""Append one record from outside a stage, and know where it went."""

import time
from collections.abc import Callable

from enact.clock import Clock
from enact.errors import DeliveryError, EnactError
from enact.kafka.transport import OutRecord, Writer
from enact.records import LedgerEntry
from enact.records.codec import encode

_POLL_S = 0.005


def append(writer: Writer, record: OutRecord, *, clock: Clock, timeout_s: float, pause: Callable[[float], None] = time.sleep) -> int:
    """Append and wait for the acknowledgement; returns the offset.

    Raises: DeliveryError if it is not acknowledged in time (it may be in the log all the same) or was acknowledged
    in another partition than the one asked for; the broker's refusal as it came.
    """
    answers: list[tuple[EnactError | None, int, int]] = []

    def heard(error: EnactError | None, partition: int, offset: int) -> None:
        answers.append((error, partition, offset))

    writer.send(record, heard)
    deadline_s = clock.boot_s() + timeout_s
    while not answers:
        writer.poll()
        if answers:
            break
        if clock.boot_s() >= deadline_s:
            raise DeliveryError(
                f"The broker did not acknowledge the record within {timeout_s:g} s; it may be in the log all the same. "
                "Look at the execution, then give the command again: twice does no harm."
            )
        pause(_POLL_S)
    error, partition, offset = answers[0]
    if error is not None:
        raise error
    if partition != record.partition:
        raise DeliveryError(
            f"The record was acknowledged in partition {partition} instead of {record.partition} of {record.topic}; "
            "its owner brings it to the right place. Check that every topic has the same number of partitions."
        )
    return offset


def ledger_record(entry: LedgerEntry, *, topic: str, partition: int) -> OutRecord:
    """A ledger entry as a record; its key is the id it is about."""
    return OutRecord(topic=topic, partition=partition, key=entry.action_intent_id.encode(), value=encode(entry))
