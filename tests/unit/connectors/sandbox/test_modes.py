"""Which request a rule of misbehaviour meets, and how often."""

from pathlib import Path
from typing import Any

import pytest

from connectors.sandbox.modes import Asked, Behaviour, Modes, Rule
from connectors.sandbox.store import Store


def met(rule: Rule, **changes: Any) -> bool:
    return rule.meets(asked(**changes))


def asked(**changes: Any) -> Asked:
    given: dict[str, Any] = {
        "kind": "write",
        "method": "PATCH",
        "tenant": "acme",
        "object_type": "Task",
        "tool": "crm.create_task",
        "subject": "Call Ann",
    }
    return Asked(**{**given, **changes})


@pytest.mark.parametrize(
    ("condition", "other"),
    [
        ({}, {"kind": "read"}),
        ({"on": "read"}, {"kind": "write"}),
        ({"object": "Task"}, {"object_type": "Account"}),
        ({"tenant": "acme"}, {"tenant": None}),
        ({"tool": "crm.create_task"}, {"tool": "crm.update_field"}),
        ({"subject": "Ann"}, {"subject": "Call Bob"}),
        ({"method": "PATCH"}, {"method": "DELETE"}),
    ],
)
def test_a_rule_meets_what_fits_every_condition(condition: dict[str, str], other: dict[str, Any]) -> None:
    rule = Rule.model_validate({"behaviour": "reject", **condition})
    fitting = {"kind": condition.get("on", "write")}

    assert met(rule, **fitting)
    assert not met(rule, **{**fitting, **other})


def test_a_rule_for_anything_meets_everything() -> None:
    rule = Rule(behaviour=Behaviour.REJECT, on="any")

    assert met(rule, kind="token")
    assert met(rule, kind="read")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"behaviour": "fail_before"}, (500, "UNKNOWN_EXCEPTION")),
        ({"behaviour": "fail_before", "status": 503}, (503, "SERVER_UNAVAILABLE")),
        ({"behaviour": "throttle"}, (429, "REQUEST_LIMIT_EXCEEDED")),
        ({"behaviour": "reject"}, (400, "FIELD_CUSTOM_VALIDATION_EXCEPTION")),
        ({"behaviour": "reject", "status": 404, "error_code": "NOT_FOUND"}, (404, "NOT_FOUND")),
        ({"behaviour": "redirect"}, (307, "UNKNOWN_EXCEPTION")),
    ],
)
def test_a_failing_answer_has_the_status_and_code_that_belong_to_it(given: dict[str, Any], expected: tuple[int, str]) -> None:
    assert Rule.model_validate(given).status_and_code() == expected


async def test_a_rule_is_used_up_and_the_next_one_has_its_turn_also_after_a_restart(tmp_path: Path) -> None:
    def take(modes: Modes) -> Behaviour | None:
        rule = modes.take(asked())
        return rule.behaviour if rule is not None else None

    store = Store(tmp_path / "x.sqlite3")
    modes = Modes(store)
    modes.add(Rule(behaviour=Behaviour.REJECT, count=2))
    modes.add(Rule(behaviour=Behaviour.THROTTLE))
    first = take(modes)
    store.close()

    again = Store(tmp_path / "x.sqlite3")
    reopened = Modes(again)
    rest = [take(reopened) for _ in range(3)]
    reopened.clear()
    last = take(reopened)
    again.close()

    assert [first, *rest, last] == [Behaviour.REJECT, Behaviour.REJECT, Behaviour.THROTTLE, Behaviour.THROTTLE, None]


def test_the_guide_names_every_behaviour_and_every_condition() -> None:
    page = (Path(__file__).parents[4] / "docs" / "guides" / "crm-and-sandbox.md").read_text()

    for name in (*Behaviour, *(set(Rule.model_fields) - {"behaviour"})):
        assert f"`{name}`" in page, name
