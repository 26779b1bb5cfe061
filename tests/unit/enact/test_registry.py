import pytest

from enact.errors import ErrorCode, ValidationError
from enact.ids import parts_of
from enact.records.tool_call import Backoff
from enact.registry import RegistryView, entry_digest, entry_key
from tests.factories import NOW_S, make_action_type

NAME = "CREATE_CRM_TASK"


def test_the_newest_by_created_at_is_picked_and_not_the_highest_number() -> None:
    older, newer = make_action_type(registry_version=9, created_at=100), make_action_type(registry_version=2, created_at=200)

    assert RegistryView([older, newer]).pick(NAME, None, NOW_S) is newer
    assert RegistryView([newer, older]).pick(NAME, None, NOW_S) is newer


def test_a_tie_goes_to_the_higher_version_number_as_a_number() -> None:
    nine, ten = make_action_type(registry_version=9, created_at=100), make_action_type(registry_version=10, created_at=100)

    assert RegistryView([ten, nine]).pick(NAME, None, NOW_S) is ten


def test_a_deprecated_version_is_not_picked_by_default_and_still_runs_when_pinned() -> None:
    current = make_action_type(registry_version=1, created_at=100)
    deprecated = make_action_type(registry_version=2, created_at=200, deprecated_at=NOW_S)
    view = RegistryView([current, deprecated])

    assert view.pick(NAME, None, NOW_S) is current
    assert view.pick(NAME, 2, NOW_S) is deprecated
    assert view.get(NAME, 2) is deprecated


def test_a_version_that_will_be_deprecated_later_is_picked_until_then() -> None:
    view = RegistryView([make_action_type(deprecated_at=NOW_S + 1)])

    assert view.pick(NAME, None, NOW_S).registry_version == 1
    with pytest.raises(ValidationError):
        view.pick(NAME, None, NOW_S + 1)


@pytest.mark.parametrize(
    ("name", "version", "code"),
    [
        ("NO_SUCH_TYPE", None, ErrorCode.UNKNOWN_ACTION_TYPE),
        ("NO_SUCH_TYPE", 1, ErrorCode.UNKNOWN_ACTION_TYPE),
        (NAME, 7, ErrorCode.UNKNOWN_VERSION),
    ],
)
def test_what_is_not_known_is_refused_with_its_code(name: str, version: int | None, code: ErrorCode) -> None:
    with pytest.raises(ValidationError) as raised:
        RegistryView([make_action_type()]).pick(name, version, NOW_S)

    assert raised.value.code is code
    assert "NO_SUCH_TYPE" not in raised.value.message


def test_an_action_type_with_deprecated_versions_only_is_refused() -> None:
    with pytest.raises(ValidationError) as raised:
        RegistryView([make_action_type(deprecated_at=1)]).pick(NAME, None, NOW_S)

    assert raised.value.code is ErrorCode.UNKNOWN_VERSION


def test_the_later_record_of_a_version_counts() -> None:
    first, second = make_action_type(), make_action_type(deprecated_at=NOW_S)

    view = RegistryView([first, second], next_offset=2)

    assert view.get(NAME, 1) is second
    assert view.next_offset == 2
    assert view.entries() == [second]


def test_an_empty_registry_knows_nothing() -> None:
    assert RegistryView().get(NAME, 1) is None
    assert RegistryView().entries() == []


def test_the_key_names_action_type_and_version() -> None:
    assert parts_of(entry_key(NAME, 12)) == (NAME, "12")


def test_the_digest_is_equal_for_equal_entries_and_stays_when_one_is_deprecated() -> None:
    assert entry_digest(make_action_type()) == entry_digest(make_action_type(deprecated_at=NOW_S))


@pytest.mark.parametrize(
    "change",
    [{"timeout_ms": 9_999}, {"arguments_schema": "{}"}, {"parameter_mapping": ()}, {"backoff": Backoff(factor=3.0)}, {"created_at": 5}],
)
def test_the_digest_shows_every_change_of_what_a_version_does(change: dict[str, object]) -> None:
    assert entry_digest(make_action_type()) != entry_digest(make_action_type(**change))
