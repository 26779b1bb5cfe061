"""`enact doctor`, approvals: could a stage that is started with these settings check them? Reads only, and names no key's bytes."""

from collections.abc import Iterator

from cli.doctor_finding import Finding, fail, ok
from enact.approval_keys import read_file, read_key_set
from enact.approval_profile import expectation_of
from enact.errors import ConfigurationError, ValidationError
from enact.settings import ApprovalSettings, Profile

_NAME = "approvals"
_SHOWN = 5


def approvals(profile: Profile, given: ApprovalSettings) -> Iterator[Finding]:
    """The profile, and the key set that goes with it."""
    try:
        expectation = expectation_of(profile, given)
    except ConfigurationError as error:
        yield fail(_NAME, "validation and invocation would not start", error.message)
        return
    if expectation is None or given.keys_file is None:
        yield ok(_NAME, f"{profile.value} profile: somebody must be named, no signature is asked for or checked")
        return
    try:
        keys = read_key_set(read_file(given.keys_file))
    except ValidationError as error:
        step = "Correct it. A running stage keeps the keys it had, none starts; docs/guides/approval.md says what it must hold."
        yield fail(_NAME, f"{given.keys_file} is no key set: {error.message}", step)
        return
    names = ", ".join(sorted(keys)[:_SHOWN]) + (f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else "")
    asked = "every approval is signed" if profile is Profile.PRODUCTION else "a signature that is given is checked"
    counted = f"{len(keys)} key{'' if len(keys) == 1 else 's'} ({names})"
    yield ok(_NAME, f"{profile.value} profile: {asked}; {counted} in {given.keys_file}, environment {expectation.audience}")
