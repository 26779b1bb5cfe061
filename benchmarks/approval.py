"""What a signed approval costs: `python -m benchmarks.approval` prints µs of CPU for each record at validation and before its claim.

One process, no broker: all of validation's checks, and all that invocation asks before a claim, each with and without
signatures in turn, so that a slow minute slows both. The best of several rounds counts.
"""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.load import intent
from cli.approval_signing import Approver, new_key, with_key
from connectors.catalogue import argument_schemas, registry_files
from enact.approval import ApprovalRules
from enact.approval_claims import Expectation
from enact.approval_keys import KeyFile
from enact.clock import Clock, SystemClock
from enact.ids import execution_trace_id, intent_sha256, intent_sha256_of
from enact.intent_text import written
from enact.mapping import map_intent
from enact.records import ApprovedIntent, ToolCall, ValidatedIntent
from enact.registry import RegistryView, entry_digest
from enact.registry_file import read_entries
from enact.signed_approval import SignatureVerifier
from services.invocation.request_check import RequestCheck
from services.validation.checks import Candidate, Limits, first_failure

COUNT: Final = 1_000
ROUNDS: Final = 7
AUDIENCE, ISSUER = "benchmark", "approvals.example"


def micros(work: Callable[[], None]) -> float:
    """CPU of this process for one record, in µs."""
    before_s = time.process_time()
    work()
    return (time.process_time() - before_s) / COUNT * 1e6


class Desk:
    """A registry entry, a clock, and intents without and with a signature."""

    def __init__(self, folder: Path) -> None:
        self.clock: Clock = SystemClock()
        now_s = self.clock.wall_ms() // 1000
        schemas = argument_schemas()
        entries = [
            one
            for name, file in registry_files(with_sandbox=False)
            for one in read_entries(file.read_text("utf-8"), file=name, argument_schemas=schemas)
        ]
        self.registry = RegistryView(entries, next_offset=len(entries))
        key, path = new_key(), folder / "keys.json"
        with_key(path, key, None)
        expectation = Expectation(audience=AUDIENCE, issuers=frozenset({ISSUER}), leeway_s=5)
        self._path, self._expectation = path, expectation
        approver = Approver(key=key, issuer=ISSUER, audience=AUDIENCE)
        self.plain = [intent(number, "approval", now_s) for number in range(COUNT)]
        self.signed = [approver.approve(one, now_s) for one in self.plain]

    def rules(self) -> ApprovalRules:
        """The production profile, with nothing remembered."""
        return ApprovalRules(SignatureVerifier(KeyFile(self._path, self.clock), self._expectation).check, is_signature_required=True)

    def validating(self, intents: Sequence[ApprovedIntent], rules: ApprovalRules) -> Callable[[], None]:
        """Every check of each of them."""
        now_ms, limits = self.clock.wall_ms(), Limits()

        def work() -> None:
            for one in intents:
                known = written(one)
                digest = intent_sha256_of(one, known.parameters_text)
                candidate = Candidate(
                    intent=one, known=known, intent_sha256=digest, registry=self.registry, now_ms=now_ms, limits=limits, approvals=rules
                )
                if (refusal := first_failure(candidate)) is not None:
                    raise refusal

        return work

    def claiming(self, intents: Sequence[ApprovedIntent], rules: ApprovalRules) -> Callable[[], None]:
        """What is asked before the claim of each of their calls."""
        calls = [self._call(one) for one in intents]
        check = RequestCheck(lambda: self.registry, self.clock, rules)

        def work() -> None:
            for call in calls:
                if (answer := check.ask(call)) is not None:
                    raise ValueError(str(answer))

        return work

    def _call(self, one: ApprovedIntent) -> ToolCall:
        now_ms = self.clock.wall_ms()
        entry = self.registry.pick(one.action_type, one.registry_version, now_ms // 1000)
        validated = ValidatedIntent(
            intent=one,
            generation=1,
            execution_trace_id=execution_trace_id(one.tenant_id, one.action_intent_id),
            registry_version=entry.registry_version,
            registry_digest=entry_digest(entry),
            registry_offset=1,
            admitted_at_ms=now_ms,
            intent_sha256=intent_sha256(one),
        )
        return map_intent(validated, entry)


def main() -> int:
    """Print the table."""
    best: dict[str, float] = {}
    with TemporaryDirectory() as folder:
        desk = Desk(Path(folder))
        for _ in range(ROUNDS):
            asked = desk.claiming(desk.signed, desk.rules())
            rounds = {
                "validation, evidence only": desk.validating(desk.plain, ApprovalRules()),
                "validation, signed": desk.validating(desk.signed, desk.rules()),
                "claim, evidence only": desk.claiming(desk.plain, ApprovalRules()),
                "claim, signed": asked,
                "claim, signed, asked again": asked,
            }
            for name, work in rounds.items():
                best[name] = min(best.get(name, float("inf")), micros(work))
    for name, cost in best.items():
        sys.stdout.write(f"{name:<28}{cost:8.1f} µs\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
