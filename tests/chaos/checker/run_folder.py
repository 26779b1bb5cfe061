"""A run's folder made by hand: one intent that went well, and the moves with which a test spoils it."""

import io
import json
from base64 import b64encode
from pathlib import Path
from typing import Any

from fastavro import schemaless_writer
from fastavro.schema import fingerprint, parse_schema, to_parsing_canonical_form

from tests.chaos.checker.avro import SCHEMAS
from tests.chaos.checker.evidence import Evidence, idempotency_key
from tests.chaos.checker.report import check

BEGAN_MS = 1_800_000_000_000
ENDED_MS = BEGAN_MS + 600_000
TENANT, ID = "acme", "int-1"
PLACE = {"topic": "enact.intents.approved.v1", "partition": 0, "offset": 0}


def filled(name: str, **values: Any) -> tuple[dict[str, Any], Any]:
    """A record of this schema with the given fields; the others empty, null, 0 or the first symbol."""
    declared = json.loads((SCHEMAS / f"{name}.avsc").read_text(encoding="utf-8"))
    named: dict[str, Any] = {}

    def empty(kind: Any) -> Any:
        if isinstance(kind, list):
            return None if "null" in kind else empty(kind[0])
        if isinstance(kind, str):
            plain = {"string": "", "long": 0, "boolean": False, "double": 0.0, "bytes": b"", "null": None}
            return plain[kind] if kind in plain else empty(named[kind])
        if kind["type"] == "record":
            named[kind["name"]] = named[f"{kind.get('namespace', '')}.{kind['name']}"] = kind
            return {field["name"]: empty(field["type"]) for field in kind["fields"]}
        if kind["type"] == "enum":
            named[kind["name"]] = kind
            return kind["symbols"][0]
        return [] if kind["type"] == "array" else {} if kind["type"] == "map" else empty(kind["type"])

    return {**empty(declared), **values}, declared


def encoded(name: str, **values: Any) -> bytes:
    """A value as it would lie in a topic."""
    record, declared = filled(name, **values)
    out = io.BytesIO()
    out.write(b"\xc3\x01" + bytes.fromhex(fingerprint(to_parsing_canonical_form(declared), "CRC-64-AVRO")))
    schemaless_writer(out, parse_schema(declared), record)
    return out.getvalue()


class RunFolder:
    """Everything in memory until `evidence` writes it."""

    def __init__(self, folder: Path, *, action_type: str = "CREATE_CRM_TASK", effect_class: str = "UPSERT") -> None:
        self.folder, self.action_type, self.effect_class = folder, action_type, effect_class
        self.run: dict[str, Any] = {"is_collected": True, "collected_ms": ENDED_MS, "healed_ms": BEGAN_MS + 1_000}
        self.files: dict[str, list[dict[str, Any]]] = {
            name: []
            for name in ("published", "commands", "faults", "receipts", "applications", "objects", "processes", "groups", "failpoints")
        }
        logs = ("admissions", "executions", "tool-results", "outcomes", "signals", "ledger")
        self.topics: dict[str, list[dict[str, Any]]] = {
            short: [] for short in (*logs, "intents.approved", "internal-objects", "validation.dlq", "recording.dlq")
        }

    def append(self, short: str, schema: str, *, at_ms: int = BEGAN_MS, key: bytes = b"k", **values: Any) -> None:
        """One more record in partition 0 of a topic."""
        self.put(short, encoded(schema, **values), at_ms=at_ms, key=key)

    def put(self, short: str, value: bytes | None, *, at_ms: int = BEGAN_MS, key: bytes = b"k", **headers: str) -> None:
        """One more record with any value."""
        lines = self.topics[short]
        named = [[name, b64encode(text.encode()).decode()] for name, text in headers.items()]
        data = None if value is None else b64encode(value).decode()
        line = {
            "partition": 0,
            "offset": len(lines),
            "timestamp_ms": at_ms,
            "key": b64encode(key).decode(),
            "value": data,
            "headers": named,
        }
        lines.append(line)

    def publish(self, **changes: Any) -> None:
        """An acknowledged intent, and its record."""
        intent = {"action_intent_id": ID, "tenant_id": TENANT, "parameters": {"subject": "Call Ms Li"}}
        line = {
            "tenant_id": TENANT,
            "action_intent_id": ID,
            "action_type": self.action_type,
            "effect_class": self.effect_class,
            "topic": PLACE["topic"],
            "partition": 0,
            "offset": 0,
            "acked_ms": BEGAN_MS,
            "expires_at_epoch": ENDED_MS // 1000 + 3600,
            "is_approved": True,
            "intent": intent,
        }
        self.files["published"].append({**line, **changes})
        self.put("intents.approved", json.dumps(intent).encode(), key=ID.encode())

    def event(self, kind: str, record: str, data: dict[str, Any], *, at_ms: int = BEGAN_MS, **changes: Any) -> None:
        """One event of the execution log."""
        number = len(self.topics["executions"])
        _, declared = filled("execution_event")
        alternatives = next(f["type"] for f in declared["fields"] if f["name"] == "data")
        shape = next(one for one in alternatives if one["name"] == record)
        whole = {**_empty_of(shape), **data}
        values: dict[str, Any] = {"tenant_id": TENANT, "action_intent_id": ID, "generation": 1, "step": "execute", "type": kind}
        values |= {"event_id": f"e{number}", "data": (f"enact.v1.{record}", whole), **changes}
        self.append("executions", "execution_event", at_ms=at_ms, **values)

    def claim(self, attempt: int = 1, nonce: str = "n1", *, at_ms: int = BEGAN_MS + 100, **changes: Any) -> None:
        """A claim and its ledger entry."""
        data = {
            "attempt": attempt,
            "nonce": nonce,
            "owner": {"boot_id": "b", "instance_id": "i", "incarnation_id": "p"},
            "request_digest": "d",
            "effect_class": {"kind": self.effect_class, "key_ttl_s": None, "natural_key": None, "settle_ms": None},
            "max_attempts": 3,
            "lease_ms": 10_000,
            "fold_version": 1,
        }
        self.event("CLAIMED", "Claimed", {**data, **changes}, at_ms=at_ms)
        self.entry("ATTEMPT_CLAIMED", step="execute", attempt=attempt)

    def fact(self, effect: str = "APPLIED", nonce: str = "n1", *, at_ms: int = BEGAN_MS + 300, **changes: Any) -> None:
        """What became of an attempt."""
        self.event("FACT", "Fact", {"attempt": 1, "nonce": nonce, "effect": effect, "source": "CALL", **changes}, at_ms=at_ms)

    def receipt(self, nonce: str = "n1", *, at_ms: int = BEGAN_MS + 200, **changes: Any) -> None:
        """A call as the practice world received it."""
        number, key = len(self.files["receipts"]) + 1, idempotency_key(TENANT, ID, "execute")
        line = {
            "seq": number,
            "at_ms": at_ms,
            "kind": "write",
            "tenant": TENANT,
            "attempt": f"1.{nonce}",
            "idempotency_key": key,
            "mode": None,
        }
        self.files["receipts"].append({**line, **changes})

    def apply(self, nonce: str = "n1", object_id: str = "o1", *, at_ms: int = BEGAN_MS + 210, **changes: Any) -> None:
        """A change of the practice world."""
        number, key = len(self.files["applications"]) + 1, idempotency_key(TENANT, ID, "execute")
        line = {
            "seq": number,
            "at_ms": at_ms,
            "object_id": object_id,
            "operation": "create",
            "attempt": f"1.{nonce}",
            "idempotency_key": key,
        }
        self.files["applications"].append({**line, **changes})
        self.files["objects"].append({"id": object_id, "fields": {"Subject": "Call Ms Li"}})

    def outcome(self, status: str = "SUCCEEDED", *, version: int = 1, at_ms: int = BEGAN_MS + 400, **changes: Any) -> None:
        """What recording published of the execution."""
        values: dict[str, Any] = {"tenant_id": TENANT, "action_intent_id": ID, "generation": 1, **changes}
        self.append("outcomes", "action_outcome", at_ms=at_ms, status=status, version=version, **values)

    def signal(self, kind: str = "ACTION_EXECUTED", signal_id: str = "s1") -> None:
        """A signal."""
        data, _ = filled("signal")
        values: dict[str, Any] = {
            "tenant_id": TENANT,
            "signal_id": signal_id,
            "type": kind,
            "data": {**data["data"], "action_intent_id": ID},
        }
        self.append("signals", "signal", **values)

    def entry(self, kind: str, **changes: Any) -> None:
        """A ledger entry."""
        self.append("ledger", "ledger_entry", tenant_id=TENANT, action_intent_id=ID, generation=1, type=kind, source=PLACE, **changes)

    def admit(self) -> None:
        """Validation's decision."""
        self.append("admissions", "admission", tenant_id=TENANT, action_intent_id=ID, generation=1, decision="ADMITTED", source=PLACE)

    def end(self, status: str) -> None:
        """Outcome, signal and ledger entry of an ending."""
        kind = "ACTION_EXECUTED" if status == "SUCCEEDED" else "ACTION_FAILED"
        self.outcome(status)
        self.signal(kind)
        self.entry(kind)

    def look(self, *, lag: int = 0, at_ms: int = BEGAN_MS + 5_000) -> None:
        """A look at the lag."""
        self.files["groups"].append({"t_ms": at_ms, "group": "enact.recording", "topic": "t", "partition": 0, "lag": lag})

    def looks(self, what: str = "threads", late: int = 10) -> None:
        """Looks at one process, of which one figure may have changed late."""
        for number in range(30):
            line = {"t_ms": ENDED_MS - 30_000 + number * 1000, "name": "invocation.0", "pid": 7, "rss": 10**8, "threads": 10, "fds": 10}
            self.files["processes"].append({**line, **({what: late} if number >= 20 else {})})

    def evidence(self) -> Evidence:
        """Write it all and read it back."""
        self.write()
        return Evidence(self.folder)

    def write(self) -> None:
        """Write it all."""
        (self.folder / "topics").mkdir(parents=True, exist_ok=True)
        (self.folder / "run.json").write_text(json.dumps(self.run), encoding="utf-8")
        for name, lines in (*self.files.items(), *((f"topics/{short}", lines) for short, lines in self.topics.items())):
            (self.folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")

    def broken(self) -> set[str]:
        """The names of the invariants that the checker finds broken."""
        return self._with("violation")

    def undecided(self) -> set[str]:
        """The names of those that it cannot decide."""
        return self._with("unknown")

    def _with(self, result: str) -> set[str]:
        report = check(self.evidence())
        return {tally.name for tally in report.tallies if tally.result == result}


def _empty_of(shape: dict[str, Any]) -> dict[str, Any]:
    """The empty record of one alternative: nullable fields null, lists empty; the rest must be given."""
    found: dict[str, Any] = {}
    for field in shape["fields"]:
        kind = field["type"]
        if isinstance(kind, list):
            found[field["name"]] = None
        elif isinstance(kind, dict) and kind["type"] == "array":
            found[field["name"]] = []
        else:
            found[field["name"]] = "" if kind == "string" else 0
    return found


def healthy(folder: Path, **changes: str) -> RunFolder:
    """One intent, called once, applied once, told."""
    run = RunFolder(folder, **changes)
    run.publish()
    run.admit()
    run.claim()
    run.receipt()
    run.apply()
    run.fact()
    run.end("SUCCEEDED")
    run.look()
    run.looks()
    return run


def refused(folder: Path, status: str = "FAILED") -> RunFolder:
    """One intent, never called, ended without effect."""
    run = RunFolder(folder)
    run.publish()
    run.admit()
    if status == "CANCELLED":
        run.event("CANCEL_REQUESTED", "CancelRequested", {"command_id": "c", "reason": "r"})
    else:
        run.event("REFUSED", "Refused", {"code": "DEADLINE_PASSED" if status == "EXPIRED" else "TOOL_REJECTED", "message": "m"})
    run.end(status)
    run.look()
    run.looks()
    return run
