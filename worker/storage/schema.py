"""Which schema the database has, and which this program was written for."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine

_MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"


class SchemaMismatchError(RuntimeError):
    """The database's schema is not the one this version works with; the message names the command to run."""


def expected_revision() -> str:
    """Return the newest revision that this program knows."""
    return _newest(_MIGRATIONS)


@cache
def _newest(_migrations: Path) -> str:
    head = ScriptDirectory.from_config(_config(None)).get_current_head()
    if head is None:
        raise SchemaMismatchError("this installation carries no migrations; install it again")
    return head


async def current_revision(engine: AsyncEngine) -> str | None:
    """Return the database's revision, None for an empty database."""
    try:
        async with engine.connect() as connection:
            revision: str | None = (
                await connection.execute(text("SELECT version_num FROM alembic_version"))
            ).scalar_one_or_none()
            return revision
    except ProgrammingError:
        return None


async def require_schema(engine: AsyncEngine) -> None:
    """Raise SchemaMismatchError unless the database has exactly the schema this program was written for."""
    have, want = await current_revision(engine), expected_revision()
    if have == want:
        return
    if have is None:
        raise SchemaMismatchError(f"the database has no schema; expected {want}. Run: ordersync migrate")
    known = {script.revision for script in ScriptDirectory.from_config(_config(None)).walk_revisions()}
    if have in known:
        raise SchemaMismatchError(f"the database has the older schema {have}; expected {want}. Run: ordersync migrate")
    raise SchemaMismatchError(
        f"the database has schema {have}, which this version does not know (it expects {want}). "
        "Install the version that made it, or undo its migrations there: ordersync migrate --to " + want
    )


def upgrade(dsn: str) -> None:
    """Bring the database to the schema of this version."""
    command.upgrade(_config(dsn), "head")


def downgrade(dsn: str, revision: str) -> None:
    """Undo migrations down to `revision` (`base`: all of them). Raises SchemaMismatchError for an unknown one."""
    config = _config(dsn)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()} | {"base"}
    if revision not in known:
        raise SchemaMismatchError(f"there is no schema {revision}; known are {', '.join(sorted(known))}")
    command.downgrade(config, revision)


def _config(dsn: str | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["database_url"] = dsn
    return config
