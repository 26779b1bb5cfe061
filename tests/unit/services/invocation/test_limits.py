"""Limits by themselves: token buckets, calls under way, shares, and the file they come from."""

import os
from pathlib import Path

import pytest

from enact.clock import ManualClock
from enact.errors import ConfigurationError
from services.invocation import limits as limits_module
from services.invocation.limits import Limits
from services.invocation.limits_file import MAX_FILE_BYTES, LimitsFile, LimitsSource, read_limits

CRM_5 = "tenants: {acme: {crm: {rate_per_s: 5}}}"


class Desk:
    """Limits of one text, and calls that start when nothing is against them."""

    def __init__(self, folder: Path, text: str) -> None:
        self.clock, self.path = ManualClock(), folder / "limits.yaml"
        self.path.write_text(text)
        self.source = LimitsSource(self.path)
        self.limits = Limits(self.source.current, self.clock)
        self.started: list[tuple[str, float]] = []

    def start(self, tenant: str = "acme", connector: str = "crm", action_type: str = "A", *, is_waiting: bool = True) -> str | None:
        """What was lacking; None = started, under a slot of its own."""
        lacking = self.limits.lacking(tenant, connector, action_type, is_waiting=is_waiting)
        if lacking is None:
            slot = f"slot-{len(self.started)}"
            self.limits.take(tenant, connector, action_type, slot)
            self.started.append((slot, self.clock.boot_s()))
        return lacking

    def run(self, seconds: float) -> int:
        """Start whatever may, a hundred times a second; each call ends at once. How many started."""
        before = len(self.started)
        for _ in range(round(seconds * 100)):
            while self.start() is None:
                self.limits.give_back(self.started[-1][0])
            self.clock.advance(0.01)
        return len(self.started) - before

    def most_in_a_second(self) -> int:
        times = [at_s for _, at_s in self.started]
        return max(sum(1 for other in times if at_s <= other < at_s + 1 - 1e-6) for at_s in times)

    def rewrite(self, text: str) -> bool:
        """The file changes; True if other limits are in force."""
        before = self.path.stat()
        self.path.write_text(text)
        os.utime(self.path, ns=(before.st_atime_ns, before.st_mtime_ns + 1_000_000))
        if not self.source.look():
            return False
        self.limits.use(self.source.current)
        return self.source.problem is None


def test_a_rate_is_kept_in_every_second(tmp_path: Path) -> None:
    desk = Desk(tmp_path, CRM_5)

    count = desk.run(20)

    assert 100 <= count <= 101
    assert desk.most_in_a_second() <= 6, "five and one"


@pytest.mark.parametrize(("rate", "expected"), [(0.1, 6), (1, 60), (5, 300), (40, 2400)])
def test_a_rate_is_used_up(tmp_path: Path, rate: float, expected: int) -> None:
    desk = Desk(tmp_path, f"default: {{rate_per_s: {rate}}}")

    count = desk.run(60)

    assert expected <= count <= expected + 1 + rate / 10


def test_a_pause_gives_no_more_than_the_burst(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "default: {rate_per_s: 5, burst: 3}")
    desk.run(1)

    desk.clock.advance(3_600)

    assert [desk.start() for _ in range(4)] == [None, None, None, "rate:tenant:acme:crm"]


def test_tenants_and_connectors_have_buckets_of_their_own(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "default: {rate_per_s: 1}")

    assert [desk.start(), desk.start(), desk.start("globex"), desk.start("acme", "calendar")] == [None, "rate:tenant:acme:crm", None, None]


def test_an_entry_of_its_own_stands_in_the_place_of_the_default(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "default: {rate_per_s: 1, concurrency: 1}\ntenants: {acme: {crm: {}}}")

    assert [desk.start() for _ in range(50)] == [None] * 50
    assert [desk.start("globex"), desk.start("globex")] == [None, "rate:tenant:globex:crm"]


def test_a_connector_s_limit_is_shared_by_all_tenants(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "connectors: {crm: {concurrency: 2}}")

    assert [desk.start("a"), desk.start("b"), desk.start("c")] == [None, None, "concurrency:connector:crm"]
    desk.limits.give_back("slot-0")
    assert desk.start("c") is None


def test_an_action_type_has_a_limit_within_the_others(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "tenants: {acme: {crm: {concurrency: 3, action_types: {A: {concurrency: 1}}}}}")

    assert [desk.start(), desk.start()] == [None, "concurrency:tenant:acme:crm:A"]
    assert [desk.start(action_type="B") for _ in range(3)] == [None, None, "concurrency:tenant:acme:crm"]


def test_what_lacks_one_limit_uses_nothing_of_another(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "default: {rate_per_s: 5, burst: 5}\nconnectors: {crm: {concurrency: 1}}")

    assert [desk.start() for _ in range(20)] == [None, *["concurrency:connector:crm"] * 19]
    for number in range(4):
        desk.limits.give_back(f"slot-{number}")
        assert desk.start() is None


def test_a_place_is_given_back_once(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "default: {concurrency: 1}")
    desk.start()

    for _ in range(3):
        desk.limits.give_back("slot-0")

    assert [desk.start(), desk.start()] == [None, "concurrency:tenant:acme:crm"]


def test_who_comes_new_does_not_overtake_who_waits(tmp_path: Path) -> None:
    desk = Desk(tmp_path, CRM_5)
    assert desk.start(is_waiting=False) is None
    assert desk.start(is_waiting=False) == "rate:tenant:acme:crm"
    desk.clock.advance(0.2)

    assert desk.start(is_waiting=False) == "turn:tenant:acme:crm"
    assert desk.start() is None
    desk.clock.advance(0.5)
    assert desk.start(is_waiting=False) is None


def test_this_process_takes_its_part(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "default: {rate_per_s: 40, concurrency: 4}")
    desk.limits.share(0.25)

    assert 100 <= desk.run(10) <= 103
    desk.clock.advance(1)
    assert [desk.start(), desk.start()] == [None, "concurrency:tenant:acme:crm"]


@pytest.mark.parametrize("share", [0.0, 1.0, 3.0])
def test_without_partitions_nothing_is_divided(tmp_path: Path, share: float) -> None:
    desk = Desk(tmp_path, "default: {concurrency: 2}")

    desk.limits.share(share)

    assert [desk.start(), desk.start()] == [None, None]


def test_no_share_is_less_than_one_call(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "default: {rate_per_s: 1, concurrency: 2}")
    desk.limits.share(0.01)

    assert desk.start() is None


def test_a_changed_file_holds_from_the_next_look_on(tmp_path: Path) -> None:
    desk = Desk(tmp_path, CRM_5)
    desk.run(2)

    assert desk.rewrite(CRM_5.replace("5", "50"))

    assert 500 <= desk.run(10) <= 512
    assert desk.rewrite("")
    assert [desk.start() for _ in range(500)] == [None] * 500


def test_what_is_under_way_when_the_file_changes_still_counts_and_is_given_back(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "default: {concurrency: 2}")
    desk.start()
    desk.start()

    assert desk.rewrite("default: {concurrency: 1}")

    desk.limits.give_back("slot-0")
    assert desk.start() == "concurrency:tenant:acme:crm"
    desk.limits.give_back("slot-1")
    assert desk.start() is None
    assert desk.rewrite("{}")
    desk.limits.give_back("slot-2")
    assert desk.limits._reserved == {}


BROKEN = {
    "not YAML": "{",
    "no mapping": "[1]",
    "no rate": "default: {rate_per_s: 0}",
    "infinite": "default: {rate_per_s: .inf}",
    "not a number": "default: {rate_per_s: .nan}",
    "text": "default: {concurrency: '3'}",
    "a misspelling": "default: {rate_per_sec: 3}",
    "burst alone": "default: {burst: 3}",
    "half a call": "default: {concurrency: 1.5}",
    "no id": "tenants: {'a b': {crm: {concurrency: 1}}}",
    "nothing below": "tenants: {acme: {crm: 5}}",
    "endless nesting": "a: &a [*a]",
    "deep": "[" * 5_000,
    "too long": "#" * (MAX_FILE_BYTES + 1),
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_a_broken_version_says_so_and_the_old_one_stays_in_force(tmp_path: Path, text: str) -> None:
    desk = Desk(tmp_path, "default: {concurrency: 1}")

    assert not desk.rewrite(text)

    assert "ENACT_INVOCATION__LIMITS_FILE" in (desk.source.problem or "")
    assert [desk.start(), desk.start()] == [None, "concurrency:tenant:acme:crm"]
    assert desk.rewrite("default: {concurrency: 2}")
    assert desk.source.problem is None
    assert desk.start() is None


def test_a_file_that_is_gone_takes_no_limit_away(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "default: {concurrency: 1}")
    desk.path.unlink()

    assert desk.source.look()

    assert "cannot be read" in (desk.source.problem or "")
    assert desk.source.current.default.concurrency == 1
    assert not desk.source.look(), "said once"


def test_no_process_starts_with_limits_that_nobody_can_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        LimitsSource(tmp_path / "missing.yaml")
    (tmp_path / "limits.yaml").write_text("default: {concurrency: 0}\nconnectors: {crm: {rate: 3}}")

    with pytest.raises(ConfigurationError) as caught:
        read_limits(tmp_path / "limits.yaml")

    assert "default.concurrency" in caught.value.message
    assert "connectors.crm.rate" in caught.value.message


def test_without_a_file_nothing_is_limited_or_looked_at() -> None:
    source = LimitsSource(None)
    limits = Limits(source.current, ManualClock())

    limits.take("acme", "crm", "A", "slot")

    assert not source.look()
    assert limits.lacking("acme", "crm", "A", is_waiting=False) is None
    assert limits._buckets == {}


def test_the_memory_of_buckets_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits_module, "_MAX_KEPT", 5)
    clock = ManualClock()
    limits = Limits(LimitsFile.model_validate({"default": {"concurrency": 1}}), clock)
    limits.take("busy", "crm", "A", "slot")

    for number in range(50):
        clock.advance(61)
        limits.lacking(f"tenant-{number}", "crm", "A", is_waiting=True)

    assert len(limits._buckets) <= 6
    assert limits.lacking("busy", "crm", "A", is_waiting=True) == "concurrency:tenant:busy:crm"
