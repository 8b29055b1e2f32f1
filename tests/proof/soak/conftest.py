from tests.storage.fixtures import database, engine, shared_database

__all__ = ["database", "engine", "shared_database"]
