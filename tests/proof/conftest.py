"""A migrated database, as the storage tests have it."""

from tests.storage.conftest import engine

__all__ = ["engine"]
