"""An approved intent as a record of the intents topic: what `enact submit` and the library publish."""

import secrets
from datetime import UTC, datetime
from enum import StrEnum

from enact.errors import ErrorCode, ValidationError
from enact.ids import execution_trace_id, is_id
from enact.intent_text import intent_json
from enact.kafka.partitioner import partition_of
from enact.kafka.transport import OutRecord
from enact.records import ApprovedIntent
from enact.records.codec import encode

CE_TYPE = "enact.intent.approved"
MAX_INTENT_BYTES = 262_144
_SPAN_BYTES = 8


class WireFormat(StrEnum):
    """How the value is written; enact reads both."""

    JSON = "json"
    AVRO = "avro"


def intent_record(
    intent: ApprovedIntent, *, topic: str, partition_count: int, source: str, now_ms: int, wire_format: WireFormat = WireFormat.JSON
) -> OutRecord:
    """The record in its partition, with CloudEvents headers (binary mode) and a trace context.

    `ce_id` is the intent's own id, so a repeat is the same event; the trace is that of the execution.
    Raises: ValidationError if an id cannot be a key, or the value is larger than validation accepts.
    """
    for name, text in (("action_intent_id", intent.action_intent_id), ("tenant_id", intent.tenant_id)):
        if not is_id(text):
            raise ValidationError(
                f"{name} is a string of {len(text)} characters that is no id: letters, digits and ._:- only, 1 to 128 of them.",
                code=ErrorCode.FIELD_MISSING,
            )
    value = intent_json(intent).encode() if wire_format is WireFormat.JSON else encode(intent)
    if len(value) > MAX_INTENT_BYTES:
        raise ValidationError(
            f"The intent has {len(value)} bytes, more than {MAX_INTENT_BYTES}: keep large content elsewhere and pass a reference.",
            code=ErrorCode.INTENT_TOO_LARGE,
        )
    trace_id = execution_trace_id(intent.tenant_id, intent.action_intent_id)
    headers = {
        "ce_specversion": "1.0",
        "ce_id": intent.action_intent_id,
        "ce_type": CE_TYPE,
        "ce_source": source,
        "ce_time": datetime.fromtimestamp(now_ms / 1000, tz=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "content-type": "application/json" if wire_format is WireFormat.JSON else "application/avro",
        "traceparent": f"00-{trace_id}-{secrets.token_hex(_SPAN_BYTES)}-01",
    }
    return OutRecord(
        topic=topic,
        partition=partition_of(intent.action_intent_id, partition_count),
        key=intent.action_intent_id.encode(),
        value=value,
        headers=tuple((name, text.encode()) for name, text in headers.items()),
    )
