"""What the tests of the embedded servers share."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def enterable() -> Iterator[Path]:
    """A directory that every account may enter; pytest's own are closed to the account that root lends Postgres."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)
