"""For every unit test."""

import gc
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine is no reason to fail; every test has the run's own timeout.
settings.register_profile("enact", deadline=None)
settings.load_profile("enact")

MEMORY = Path("/dev/shm")


def pytest_collection_finish() -> None:
    """Three thousand collected tests are no garbage: without this, a tenth of the run goes into looking through them again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder in memory where the system has such: local state is opened hundreds of times, and a disk makes each wait 20 ms."""
    with tempfile.TemporaryDirectory(prefix="enact-unit-", dir=MEMORY if MEMORY.is_dir() else None, ignore_cleanup_errors=True) as folder:
        yield Path(folder)
