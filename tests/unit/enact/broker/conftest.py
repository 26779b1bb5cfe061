"""For the tests of the embedded broker."""

from pathlib import Path

import pytest


@pytest.fixture
def tmp_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder on disk: programs are run from it, and the system may not allow that in memory."""
    return tmp_path_factory.mktemp("broker")
