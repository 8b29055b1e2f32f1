"""A small disk under the spool table, which can be filled: then Postgres cannot extend the table, and says so.

Root gets a real one: the table lies in a tablespace on a tmpfs, and a file takes the rest of it. Who may not mount gets
a stand-in, `real` False: a trigger that refuses what is inserted with the words and the code (53100) of a full disk.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from worker.embedded.account import unprivileged_account

SIZE_BYTES = 32 * 1024 * 1024
_CHUNK = b"\0" * 65_536
_REFUSE = """
CREATE OR REPLACE FUNCTION proof_disk_full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION USING ERRCODE = '53100', MESSAGE = 'could not extend file: No space left on device';
END $$
"""
_REFUSES = """
CREATE OR REPLACE TRIGGER proof_disk_full BEFORE INSERT ON spool
FOR EACH STATEMENT EXECUTE FUNCTION proof_disk_full()
"""
_TAKES = "DROP TRIGGER IF EXISTS proof_disk_full ON spool"


class SpoolDisk:
    """Where the spool table lies; `mount` None: there is no disk of its own."""

    def __init__(self, mount: Path | None) -> None:
        self._mount = mount

    @property
    def real(self) -> bool:
        """Whether the disk is one, or a trigger that speaks like one."""
        return self._mount is not None

    async def take_spool(self, engine: AsyncEngine) -> None:
        """Let the spool table lie on this disk from now on."""
        if self._mount is None:
            return
        place = str(self._mount).replace("'", "''")
        async with engine.connect() as connection:
            own = await connection.execution_options(isolation_level="AUTOCOMMIT")
            await own.execute(text(f"CREATE TABLESPACE proof_spool LOCATION '{place}'"))
            await own.execute(text("ALTER TABLE spool SET TABLESPACE proof_spool"))

    async def fill(self, engine: AsyncEngine) -> None:
        """Leave no room."""
        if self._mount is None:
            async with engine.begin() as connection:
                await connection.execute(text(_REFUSE))
                await connection.execute(text(_REFUSES))
            return
        with contextlib.suppress(OSError), (self._mount / "filler").open("wb", buffering=0) as filler:
            while filler.write(_CHUNK):
                pass

    async def free(self, engine: AsyncEngine) -> None:
        """Make room again."""
        if self._mount is None:
            async with engine.begin() as connection:
                await connection.execute(text(_TAKES))
        else:
            (self._mount / "filler").unlink(missing_ok=True)


@contextlib.contextmanager
def spool_disk(*, real: bool = True) -> Iterator[SpoolDisk]:
    """Yield a disk for the length of a block, the stand-in unless a `real` one is wanted and can be had.

    A Postgres that uses it has to end before. Killed meanwhile (-9), we leave a small mount in the temporary directory.
    """
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if not real or os.geteuid() != 0 or mount is None or umount is None:
        yield SpoolDisk(None)
        return
    account = unprivileged_account()
    owner = f",uid={account.uid},gid={account.gid},mode=0700" if account else ""
    place = Path(tempfile.mkdtemp(prefix="ordersync-spool-"))
    options = f"size={SIZE_BYTES}{owner}"
    mounted = subprocess.run([mount, "-t", "tmpfs", "-o", options, "tmpfs", place], check=False, capture_output=True)  # noqa: S603 - our own arguments
    try:
        yield SpoolDisk(place if mounted.returncode == 0 else None)
    finally:
        if mounted.returncode == 0:
            subprocess.run([umount, place], check=False, capture_output=True)  # noqa: S603 - as above
        place.rmdir()
