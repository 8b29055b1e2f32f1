"""The small disk under the spool: full, Postgres refuses the row as a full disk does; with room again, it takes it."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from proof.rig.spool_disk import SpoolDisk, spool_disk
from tests.storage.database import value
from worker.embedded import EmbeddedPostgres
from worker.storage import schema, spool_store
from worker.storage.engine import create_engine, transaction

DISK_FULL = "53100"
EVENT = ("orders.status.v1", "main/1688/7", {"ce_id": "1"}, b"x" * 2_000)


async def keep(engine: AsyncEngine) -> None:
    async with transaction(engine) as connection:
        await spool_store.put(connection, [EVENT])


async def keep_many(engine: AsyncEngine) -> None:
    """What room the table itself has is used up first."""
    for _ in range(100):
        await keep(engine)


async def holds(engine: AsyncEngine, disk: SpoolDisk) -> None:
    """Full: refused, and nothing else is. Free: taken, and what was there before is still there."""
    await keep(engine)
    await disk.fill(engine)
    with pytest.raises(DBAPIError) as refused:
        await keep_many(engine)
    assert getattr(refused.value.orig, "sqlstate", "") == DISK_FULL
    before = await value(engine, "SELECT count(*) FROM spool")
    async with transaction(engine) as connection:
        await connection.execute(text("INSERT INTO pauses (account, reason, actor) VALUES ('a', 'b', 'c')"))
    await disk.free(engine)
    await keep(engine)
    assert await value(engine, "SELECT count(*) FROM spool") == before + 1


async def test_who_may_not_mount_gets_a_stand_in_that_answers_alike(engine: AsyncEngine) -> None:
    disk = SpoolDisk(None)
    await disk.take_spool(engine)
    await holds(engine, disk)
    assert not disk.real


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk; others use the stand-in above")
async def test_root_gets_a_real_disk_that_is_gone_afterwards() -> None:
    with spool_disk() as disk:
        if not disk.real:
            pytest.skip("this machine does not let root mount")
        async with migrated() as engine:
            await disk.take_spool(engine)
            await holds(engine, disk)
        place = disk._mount
        assert place is not None
    assert not place.exists()


@asynccontextmanager
async def migrated() -> AsyncIterator[AsyncEngine]:
    """A server of its own: a tablespace belongs to a server, not to a database."""
    async with EmbeddedPostgres() as postgres:
        await asyncio.to_thread(schema.upgrade, postgres.dsn())
        engine = create_engine(postgres.dsn(), application="test", pool_size=1)
        try:
            yield engine
        finally:
            await engine.dispose()
