"""What is stopped: a fold that gives one answer for a log, its repeats and what compaction leaves of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from enact.ids import key_of
from enact.kafka.transport import InRecord, Offset
from enact.records import Switch, SwitchMode, SwitchState
from enact.records.codec import encode
from enact.switch_view import UNREADABLE, SwitchView, meaning_of, rejection_of, scopes_of
from tests.factories import NOW_MS, in_record

SCOPES = scopes_of("acme", "CREATE_CRM_TASK", "crm")
ENGAGED, RELEASED = SwitchState.ENGAGED, SwitchState.RELEASED


def make_switch(
    scope: str = "global", engagement_id: str = "e-1", state: SwitchState = ENGAGED, mode: SwitchMode = SwitchMode.HOLD
) -> Switch:
    return Switch(scope=scope, engagement_id=engagement_id, state=state, mode=mode, actor="kim", reason="test", at_ms=NOW_MS)


def view_of(*switches: Switch) -> SwitchView:
    view = SwitchView()
    for switch in switches:
        view.apply(key_of(switch.scope, switch.engagement_id), switch)
    return view


@pytest.mark.parametrize("scope", SCOPES)
def test_a_switch_stops_its_scope(scope: str) -> None:
    view = view_of(make_switch(scope))

    assert view.stopped_by(SCOPES) is not None
    assert [engagement.scope for engagement in view.engagements] == [scope]


@pytest.mark.parametrize("scope", ["tenant:globex", "action_type:OTHER", "connector:calendar", "acme", "crm"])
def test_a_switch_of_another_scope_stops_nothing_here(scope: str) -> None:
    assert view_of(make_switch(scope)).stopped_by(SCOPES) is None


def test_a_scope_is_stopped_while_any_engagement_is_open() -> None:
    """Planted bug: a release ends the scope instead of the engagement it names."""
    first, second = make_switch(engagement_id="first"), make_switch(engagement_id="second")
    end_of_first, end_of_second = replace(first, state=RELEASED), replace(second, state=RELEASED)

    assert view_of(first, second, end_of_first).stopped_by(SCOPES) is not None
    assert view_of(first, second, end_of_first, end_of_first).stopped_by(SCOPES) is not None
    assert view_of(first, second, end_of_first, end_of_second).stopped_by(SCOPES) is None


def test_a_late_or_repeated_release_cannot_undo_a_newer_stop() -> None:
    old, new = make_switch(engagement_id="old", state=RELEASED), make_switch(engagement_id="new")

    assert view_of(old, new, old, old).stopped_by(SCOPES) is not None


def test_a_release_of_the_same_engagement_of_another_scope_ends_nothing_here() -> None:
    other = make_switch("tenant:acme", "e-1", RELEASED)

    assert view_of(make_switch("global", "e-1"), other).stopped_by(SCOPES) is not None


def test_an_engagement_written_again_under_its_key_stops_again() -> None:
    """So says compaction too, which keeps the last record: all readers agree, and on the side of the stop."""
    engaged = make_switch()

    assert view_of(engaged, replace(engaged, state=RELEASED), engaged).stopped_by(SCOPES) is not None


def test_a_release_ends_an_engagement_that_somebody_wrote_under_a_foreign_key() -> None:
    view = SwitchView()
    view.apply(b"by hand", make_switch())

    view.apply(key_of("global", "e-1"), make_switch(state=RELEASED))

    assert view.stopped_by(SCOPES) is None


def test_a_switch_that_rejects_goes_before_one_that_holds() -> None:
    """Planted bug: the first engagement found counts, whatever its mode."""
    holds, rejects = make_switch("global", "holds"), make_switch("tenant:acme", "rejects", mode=SwitchMode.REJECT)
    also_global = make_switch("global", "rejects", mode=SwitchMode.REJECT)

    for view in (view_of(holds, rejects), view_of(rejects, holds), view_of(holds, also_global), view_of(also_global, holds)):
        engaged = view.stopped_by(SCOPES)
        assert engaged is not None
        assert engaged.engagement_id == "rejects"


@pytest.mark.parametrize(("state", "mode"), [(SwitchState.UNKNOWN, SwitchMode.HOLD), (ENGAGED, SwitchMode.UNKNOWN)])
def test_a_word_of_a_newer_writer_stops(state: SwitchState, mode: SwitchMode) -> None:
    assert view_of(make_switch(state=state, mode=mode)).stopped_by(SCOPES) is not None


def test_a_rejection_says_who_engaged_what_and_what_to_do() -> None:
    (engaged,) = view_of(make_switch("tenant:acme", mode=SwitchMode.REJECT)).engagements

    assert "tenant:acme rejects; kim engaged it" in rejection_of(engaged)
    assert "redrive" in rejection_of(engaged)


def test_what_cannot_be_read_means_a_stop_of_everything() -> None:
    said = meaning_of(in_record("switches", b"key", b"\xc3\x01rubbish", offset=7))

    assert isinstance(said, Switch)
    assert (said.scope, said.state, said.mode, said.engagement_id) == ("global", ENGAGED, SwitchMode.HOLD, f"{UNREADABLE}7")


_keys = st.tuples(st.sampled_from(("global", "tenant:acme", "connector:crm")), st.sampled_from(("e-1", "e-2", "e-3")))
_words = st.sampled_from(("hold", "reject", "release", "rubbish", "tombstone"))
_logs = st.lists(st.tuples(_keys, _words), max_size=30)


def value_of(key: tuple[str, str], word: str) -> bytes | None:
    if word in {"rubbish", "tombstone"}:
        return b"rubbish" if word == "rubbish" else None
    mode = SwitchMode.REJECT if word == "reject" else SwitchMode.HOLD
    return encode(make_switch(*key, state=RELEASED if word == "release" else ENGAGED, mode=mode))


def records_of(log: list[tuple[tuple[str, str], str]]) -> list[InRecord]:
    return [in_record("switches", key_of(*key), value_of(key, word), offset=Offset(number)) for number, (key, word) in enumerate(log)]


def folded(records: list[InRecord]) -> dict[tuple[str, str], SwitchMode]:
    view = SwitchView()
    for record in records:
        said = meaning_of(record)
        assert said is None or isinstance(said, Switch)
        view.apply(record.key or b"", said)
    return {(e.scope, e.engagement_id): e.mode for e in view.engagements}


def compacted(records: list[InRecord]) -> list[InRecord]:
    last = {record.key: record for record in records}
    return [record for record in records if last[record.key] is record]


@given(log=_logs, cut=st.integers(0, 30))
def test_compaction_of_any_part_of_the_log_changes_no_answer(log: list[tuple[tuple[str, str], str]], cut: int) -> None:
    records = records_of(log)

    assert folded(compacted(records)) == folded(records)
    assert folded(compacted(records[:cut]) + records[cut:]) == folded(records)


@given(log=_logs, start=st.integers(0, 30))
def test_a_part_of_the_log_that_comes_again_changes_no_answer(log: list[tuple[tuple[str, str], str]], start: int) -> None:
    """As a mirror repeats what it was not told is done: a stretch up to the end."""
    records = records_of(log)

    assert folded(records + records[start:]) == folded(records)


@given(log=_logs)
def test_the_answer_is_that_of_the_last_word_on_each_engagement(log: list[tuple[tuple[str, str], str]]) -> None:
    last = dict(log)
    modes = {"hold": SwitchMode.HOLD, "reject": SwitchMode.REJECT}

    found = folded(records_of(log))

    assert {key: mode for key, mode in found.items() if not key[1].startswith(UNREADABLE)} == {
        key: modes[word] for key, word in last.items() if word in modes
    }
    assert sum(key[1].startswith(UNREADABLE) for key in found) == list(last.values()).count("rubbish")


@given(orders=st.permutations([(("global", f"e-{n}"), word) for n in range(3) for word in ("hold", "release", "release")]))
def test_however_stops_and_repeated_releases_interleave_each_release_ends_its_own_stop(orders: list[tuple[tuple[str, str], str]]) -> None:
    """The model: a stop is over if its release stands behind it."""
    expected = set()
    for key in {key for key, _ in orders}:
        words = [word for one, word in orders if one == key]
        if words[-1] == "hold":
            expected.add(key)

    assert set(folded(records_of(orders))) == expected
