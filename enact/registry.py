"""The registry as a stage sees it: versions of action types, immutable once applied."""

from collections.abc import Iterable
from typing import Final

import msgspec

from enact import canonical, ids
from enact.by_identity import ByIdentity
from enact.errors import ErrorCode, ValidationError
from enact.records.action_type import ActionType


class RegistryView:
    """All registry versions known at `next_offset` of the registry topic. Never changes; a newer table is a new view.

    Of two records of one version the later one counts (that is how a version is deprecated); whether its
    content changed shows in `entry_digest`.
    """

    def __init__(self, entries: Iterable[ActionType] = (), *, next_offset: int = 0) -> None:
        self.next_offset = next_offset
        self._versions: dict[str, dict[int, ActionType]] = {}
        for entry in entries:
            self._versions.setdefault(entry.action_type, {})[entry.registry_version] = entry
        self._newest_first = {
            name: sorted(versions.values(), key=lambda entry: (entry.created_at, entry.registry_version), reverse=True)
            for name, versions in self._versions.items()
        }

    def get(self, action_type: str, version: int) -> ActionType | None:
        """This very version, deprecated or not."""
        return self._versions.get(action_type, {}).get(version)

    def pick(self, action_type: str, version: int | None, now_s: int) -> ActionType:
        """The pinned version (deprecated or not), else the newest by `created_at` that is not deprecated at `now_s` (epoch seconds).

        Ties go to the higher version number; version numbers alone never decide.

        Raises: ValidationError UNKNOWN_ACTION_TYPE, or UNKNOWN_VERSION if only the version is not known.
        """
        newest_first = self._newest_first.get(action_type)
        if newest_first is None:
            raise ValidationError(
                f"action_type (a string of {len(action_type)} characters) is not in the registry: correct it, or apply an entry for it.",
                code=ErrorCode.UNKNOWN_ACTION_TYPE,
            )
        if version is not None:
            pinned = self._versions[action_type].get(version)
            if pinned is None:
                raise ValidationError(
                    f"registry_version {version} of {action_type} is not in the registry: apply it or name another one.",
                    code=ErrorCode.UNKNOWN_VERSION,
                )
            return pinned
        for entry in newest_first:
            if entry.deprecated_at is None or entry.deprecated_at > now_s:
                return entry
        raise ValidationError(
            f"Every version of {action_type} is deprecated: apply a new one or name a version in registry_version.",
            code=ErrorCode.UNKNOWN_VERSION,
        )

    def entries(self) -> list[ActionType]:
        """All versions, by action type and version."""
        return [self._versions[name][version] for name in sorted(self._versions) for version in sorted(self._versions[name])]


def entry_key(action_type: str, version: int) -> bytes:
    """The record key of one version in the registry topic."""
    return ids.key_of(action_type, str(version))


def _digest(entry: ActionType) -> str:
    content = msgspec.to_builtins(entry)
    del content["deprecated_at"]
    return canonical.sha256_hex(content)


_DIGESTS: Final = ByIdentity(_digest)


def entry_digest(entry: ActionType) -> str:
    """SHA-256 of what a version does. `deprecated_at` is left out: deprecating changes no version."""
    return _DIGESTS(entry)
