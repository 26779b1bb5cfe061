"""A run's folder, read and joined: what was published, what the world saw, what lies in the topics."""

import hashlib
import json
from base64 import b64decode
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from tests.chaos.checker.avro import UnreadableError, read_value
from tests.chaos.checker.fold import Claim, FoldedLog, fold_log

Key = tuple[str, str]
"""(tenant, intent id)."""

DEFAULT_BOUNDS = {
    "live_s": 90.0,
    "stop_s": 2.0,
    "epsilon_s": 0.25,
    "heal_s": 90.0,
    "watch_s": 60.0,
    "threads": 8,
    "fds": 64,
    "rss_ratio": 1.5,
    "rss_bytes": 64 * 1024 * 1024,
}


class UnreadableRunError(Exception):
    """The folder is no finished run's."""


class Record(NamedTuple):
    """One record of a topic. `tree` is its decoded value; None for a tombstone or for what cannot be read."""

    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    headers: dict[str, bytes]
    tree: dict[str, Any] | None
    problem: str | None


class Receipt(NamedTuple):
    """One call as the world received it. `nonce` is empty if it carried none, `claim` None if no CLAIMED event has it."""

    at_ms: int
    nonce: str
    claim: Claim | None
    key: Key | None
    step: str
    tenant: str | None
    mode: str | None
    name: str


class Applied(NamedTuple):
    """One effect in the world. `key` is None if it belongs to nothing that was published."""

    at_ms: int
    key: Key | None
    step: str
    object_id: str
    operation: str
    nonce: str
    name: str


class Evidence:
    """Everything the invariants look at. Reads each file once, when it is first needed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            self.run: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UnreadableRunError(f"{folder}/run.json: {type(error).__name__}") from error
        if not self.run.get("is_collected"):
            raise UnreadableRunError(f"{folder}: the run was not collected")
        self.bounds: dict[str, float] = {**DEFAULT_BOUNDS, **self.run.get("bounds", {})}

    def lines(self, name: str) -> list[dict[str, Any]]:
        """A JSON lines file; empty if the run had nothing to write there. Raises: UnreadableRunError."""
        file = self.folder / name
        try:
            return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []
        except (OSError, ValueError) as error:
            raise UnreadableRunError(f"{file}: {type(error).__name__}") from error

    @cached_property
    def published(self) -> dict[Key, list[dict[str, Any]]]:
        """Acknowledged intents by identity, each with all its publications in order of acknowledgement."""
        found: dict[Key, list[dict[str, Any]]] = defaultdict(list)
        for line in sorted(self.lines("published.jsonl"), key=lambda line: line["acked_ms"]):
            found[line["tenant_id"], line["action_intent_id"]].append(line)
        return dict(found)

    @cached_property
    def commands(self) -> list[dict[str, Any]]:
        """What operators asked for."""
        return self.lines("commands.jsonl")

    @cached_property
    def faults(self) -> list[dict[str, Any]]:
        """What was done to the system."""
        return self.lines("faults.jsonl")

    @cached_property
    def _topics(self) -> dict[str, list[Record]]:
        return {}

    def topic(self, short: str) -> list[Record]:
        """Every record of a topic by (partition, offset). Raises: UnreadableRunError if it was not dumped."""
        if short not in self._topics:
            if not (self.folder / "topics" / f"{short}.jsonl").exists():
                raise UnreadableRunError(f"topics/{short}.jsonl is missing")
            records = [_record(line) for line in self.lines(f"topics/{short}.jsonl")]
            self._topics[short] = sorted(records, key=lambda record: (record.partition, record.offset))
        return self._topics[short]

    def raw(self, short: str) -> Iterator[tuple[int, int, bytes]]:
        """(partition, append time, value) of every record that has a value, in order."""
        for line in sorted(self.lines(f"topics/{short}.jsonl"), key=lambda line: (line["partition"], line["offset"])):
            if line["value"] is not None:
                yield line["partition"], line["timestamp_ms"], b64decode(line["value"])

    def dead_letters(self) -> Iterator[tuple[str, Record]]:
        """Every dead letter with its stage's name."""
        for file in sorted((self.folder / "topics").glob("*.dlq.jsonl")):
            stage = file.name.removesuffix(".dlq.jsonl")
            yield from ((stage, record) for record in self.topic(f"{stage}.dlq"))

    @cached_property
    def log(self) -> FoldedLog:
        """The execution log, folded by the checker's own rules."""
        return fold_log((r.partition, r.offset, r.timestamp_ms, r.tree) for r in self.topic("executions") if r.tree is not None)

    @cached_property
    def claims(self) -> dict[str, list[Claim]]:
        """CLAIMED events by nonce; more than one per nonce is somebody's fault."""
        found: dict[str, list[Claim]] = defaultdict(list)
        for claim in self.log.claims():
            found[claim.nonce].append(claim)
        return found

    @cached_property
    def keys(self) -> dict[str, tuple[Key, str]]:
        """Idempotency keys of everything published, computed here, with whose they are."""
        return {idempotency_key(*key, step): (key, step) for key in self.published for step in ("execute", "compensate")}

    @cached_property
    def receipts(self) -> list[Receipt]:
        """Every writing call that the practice world received, in order."""
        return [self._receipt(line) for line in self.lines("receipts.jsonl") if line["kind"] == "write"]

    def _receipt(self, line: dict[str, Any]) -> Receipt:
        nonce = (line["attempt"] or "").partition(".")[2]
        claim, key, step = self._whose(nonce, line["idempotency_key"])
        name = f"receipt {line['seq']}"
        return Receipt(line["at_ms"], nonce, claim, key, step, line["tenant"], line["mode"], name)

    def _whose(self, nonce: str, idempotency: str | None) -> tuple[Claim | None, Key | None, str]:
        """By the nonce, which names one attempt; else by the idempotency key."""
        claims = self.claims.get(nonce, [])
        claim = next((one for one in claims if one.is_valid), claims[0] if claims else None)
        if claim is not None:
            return claim, (claim.tenant_id, claim.action_intent_id), claim.step
        key, step = self.keys.get(idempotency or "", (None, "execute"))
        return None, key, step

    @cached_property
    def applied(self) -> list[Applied]:
        """Every change of the world: the practice world's applications, and the internal objects."""
        found = []
        for line in self.lines("applications.jsonl"):
            nonce = (line["attempt"] or "").partition(".")[2]
            _, key, step = self._whose(nonce, line["idempotency_key"])
            name = f"application {line['seq']}"
            found.append(Applied(line["at_ms"], key, step, line["object_id"], line["operation"], nonce, name))
        for record in self.topic("internal-objects"):
            if record.tree is not None:
                object_id = record.tree["object_id"]
                key, step = self.keys.get(object_id.rpartition("-")[2], (None, "execute"))
                is_undone = record.tree["is_deleted"]
                operation, step = ("delete", "compensate") if is_undone else ("create", step)
                name = f"internal object at {record.partition}/{record.offset}"
                found.append(Applied(record.timestamp_ms, key, step, object_id, operation, "", name))
        return found

    @cached_property
    def applied_by(self) -> dict[tuple[Key, str], list[Applied]]:
        """Changes of the world by intent and step."""
        return grouped(((one.key, one.step), one) for one in self.applied if one.key is not None)

    @cached_property
    def outcomes(self) -> dict[Key, list[Record]]:
        """Published outcomes by intent, in the order of the topic."""
        return _by_identity(self.topic("outcomes"))

    @cached_property
    def final(self) -> dict[Key, dict[str, Any]]:
        """The outcome that counts: the one with the highest version, the last of equals."""
        return {key: max((r.tree or {} for r in records), key=lambda tree: int(tree["version"])) for key, records in self.outcomes.items()}

    @cached_property
    def ended_ms(self) -> int:
        """When the topics were dumped."""
        return int(self.run.get("collected_ms", 0))


def grouped(pairs: Iterable[tuple[Any, Any]]) -> dict[Any, list[Any]]:
    """Values by key, in order."""
    found: dict[Any, list[Any]] = defaultdict(list)
    for key, value in pairs:
        found[key].append(value)
    return dict(found)


def idempotency_key(tenant_id: str, action_intent_id: str, step: str) -> str:
    """The key that a call of this step must carry, whatever the attempt: SHA-256 of the canonical array."""
    return hashlib.sha256(json.dumps([tenant_id, action_intent_id, step], separators=(",", ":"), ensure_ascii=False).encode()).hexdigest()


def shown(key: Key | None) -> str:
    """An identity in a sentence."""
    return "/".join(key) if key is not None else "nobody"


def _by_identity(records: Iterable[Record]) -> dict[Key, list[Record]]:
    return grouped(((r.tree["tenant_id"], r.tree["action_intent_id"]), r) for r in records if r.tree is not None)


def _record(line: dict[str, Any]) -> Record:
    tree, problem = None, None
    value = _bytes(line["value"])
    if value is not None:
        try:
            tree = read_value(value)
        except UnreadableError as error:
            problem = str(error)
    headers = {name: _bytes(given) or b"" for name, given in line["headers"]}
    return Record(line["partition"], line["offset"], line["timestamp_ms"], _bytes(line["key"]), headers, tree, problem)


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else b64decode(text)
