"""The production profile at validation: a hostile approval ends its execution and is kept for a person, in words."""

from pathlib import Path

import pytest

from enact.clock import ManualClock
from enact.errors import ErrorCode
from enact.records.enums import ApprovalEvidence
from enact.records.intent import ReturnedIntent, ValidatedIntent
from enact.records.ledger import LedgerEntry
from enact.records.tool_call import ToolCall
from tests.approvals import Production
from tests.factories import NOW_MS, make_intent
from tests.hostile.approvals import HOSTILE_APPROVALS, HostileApproval, hostile_intent
from tests.unit.services.validation.world import World, letter, only, topics


@pytest.fixture
def production(tmp_path: Path) -> Production:
    return Production(tmp_path, ManualClock(NOW_MS))


def test_a_signed_approval_is_admitted(production: Production) -> None:
    world = World(approvals=production.rules)

    sent = world.publish(production.pair.approve(make_intent()))

    assert topics(sent) == ["validated", "ledger"]
    assert only(sent, "validated", ValidatedIntent).approval_evidence is ApprovalEvidence.SIGNATURE_CHECKED
    assert only(sent, "ledger", LedgerEntry).details["approval_evidence"] == "SIGNATURE_CHECKED"


def test_a_signature_that_nobody_could_check_is_told_as_such(production: Production) -> None:
    sent = World().publish(production.pair.approve(make_intent()))

    assert only(sent, "ledger", LedgerEntry).details["approval_evidence"] == "SIGNATURE_NOT_CHECKED"


@pytest.mark.parametrize("row", HOSTILE_APPROVALS, ids=lambda row: row.name)
def test_a_hostile_approval_ends_its_execution_and_is_kept_with_the_reason(production: Production, row: HostileApproval) -> None:
    world = World(approvals=production.rules)

    sent = world.publish(hostile_intent(row, production.pair))

    assert topics(sent) == ["calls", "ledger", "dead letter"]
    refusal, kept = only(sent, "calls", ToolCall).refusal, letter(sent)
    assert refusal is not None
    assert (refusal.code, kept.code) == ("APPROVAL_INVALID", ErrorCode.APPROVAL_INVALID)
    assert [word for word in row.words if word not in kept.message or word not in refusal.message] == []


def test_a_new_generation_is_judged_by_the_time_it_comes(production: Production) -> None:
    world = World(approvals=production.rules)
    world.publish(production.pair.approve(make_intent()))
    world.clock.advance(605)

    sent = world.return_(ReturnedIntent(tenant_id="acme", action_intent_id="int-1", generation=2, cause="REDRIVE"))

    assert letter(sent).code is ErrorCode.APPROVAL_INVALID
    assert "exp passed" in letter(sent).message


def test_a_repeat_of_what_was_admitted_is_not_judged_again(production: Production) -> None:
    world = World(approvals=production.rules)
    approved = production.pair.approve(make_intent())
    world.publish(approved)
    world.clock.advance(605)

    sent = world.publish(approved)

    assert topics(sent) == ["validated", "ledger"]
