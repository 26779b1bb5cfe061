"""The stages that check approvals do not start in the production profile without keys, and say what to set before they ask a broker."""

from collections.abc import Callable
from pathlib import Path

import pytest

from enact.stage_process import ExitCode, run_stage
from services.invocation.__main__ import Invocation
from services.invocation.settings import InvocationSettings
from services.validation.__main__ import Validation
from services.validation.settings import Settings
from tests.approvals import Pair, write_keys

Start = Callable[[dict[str, str]], int]


def start_validation(environ: dict[str, str]) -> int:
    return run_stage("validation", Validation, Settings, environ=environ)


def start_invocation(environ: dict[str, str]) -> int:
    return run_stage("invocation", Invocation, InvocationSettings, environ=environ)


def production(folder: Path, **approval: str) -> dict[str, str]:
    """Nobody listens where the broker is said to be."""
    told = {"ENACT_PROFILE": "production", "ENACT_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1", "ENACT_HEALTH__PORT": "0"}
    return {**told, "ENACT_DATA_DIR": str(folder), **{f"ENACT_APPROVAL__{name}": value for name, value in approval.items()}}


@pytest.fixture(params=[start_validation, start_invocation])
def start(request: pytest.FixtureRequest) -> Start:
    chosen: Start = request.param
    return chosen


def test_production_without_keys_is_no_start(start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = start(production(tmp_path))

    told = capsys.readouterr().err.splitlines()[-1]
    assert code == ExitCode.CONFIGURATION
    assert "cannot start: Approval: ENACT_APPROVAL__KEYS_FILE, ENACT_APPROVAL__AUDIENCE, ENACT_APPROVAL__ISSUERS are not set" in told
    assert "ConfigMap" in told


def test_production_with_a_private_key_is_no_start(start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys = write_keys(tmp_path / "keys.json", Pair().private_jwk())

    code = start(production(tmp_path, KEYS_FILE=str(keys), AUDIENCE="here", ISSUERS="somebody"))

    assert code == ExitCode.CONFIGURATION
    assert "holds a private key" in capsys.readouterr().err
