import pytest

from tests.infrastructure import Kind
from tests.storage.fixtures import database, engine, shared_database

__all__ = ["database", "engine", "shared_database"]


@pytest.fixture
def apache(kafka_kind: Kind) -> None:
    """For tests in which a member of a group dies or a second one joins."""
    if kafka_kind != "apache":
        pytest.skip("the embedded broker serves one member per group, and keeps a dead one's place for 30 s")
