"""The embedded Postgres is a real one that starts anywhere, keeps what was committed and leaves nothing behind."""

import os
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from worker.embedded import EmbeddedError, EmbeddedPostgres
from worker.embedded.account import unprivileged_account

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to change accounts")


async def ask(dsn: str, query: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


def base_of(postgres: EmbeddedPostgres) -> Path:
    assert postgres._files is not None
    return postgres._files.base


async def test_a_setting_that_postgres_refuses_is_reported_with_the_words_of_its_log() -> None:
    postgres = EmbeddedPostgres({"shared_buffers": "plenty"})
    with pytest.raises(EmbeddedError, match=r"(?s)did not start.*shared_buffers.*plenty"):
        postgres.start()
    assert not postgres.running


def test_what_was_not_started_has_no_address() -> None:
    with pytest.raises(EmbeddedError, match="not started"):
        EmbeddedPostgres().dsn()


async def test_nobody_gets_in_without_the_password(postgres: EmbeddedPostgres) -> None:
    address = urlsplit(postgres.dsn())
    guess = urlunsplit(address._replace(netloc=f"{address.username}:guess@{address.hostname}:{address.port}"))
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(guess)


async def test_it_listens_on_loopback_only(postgres: EmbeddedPostgres) -> None:
    assert await ask(postgres.dsn(), "SHOW listen_addresses") == "127.0.0.1"
    assert await ask(postgres.dsn(), "SHOW unix_socket_directories") == ""


async def test_it_is_postgres_18_with_our_settings() -> None:
    with EmbeddedPostgres({"max_connections": "17"}) as postgres:
        assert str(await ask(postgres.dsn(), "SHOW server_version")).startswith("18.")
        assert await ask(postgres.dsn(), "SHOW max_connections") == "17"
        assert await ask(postgres.dsn(), "SHOW fsync") == "off"
        assert await ask(postgres.dsn(), "SHOW synchronous_commit") == "on"


async def test_durable_means_that_commits_reach_the_disk() -> None:
    async with EmbeddedPostgres(durable=True) as postgres:
        assert await ask(postgres.dsn(), "SHOW fsync") == "on"


async def test_what_was_committed_survives_restart_and_crash_at_the_same_address() -> None:
    with EmbeddedPostgres() as postgres:
        dsn = postgres.dsn()
        await ask(dsn, "CREATE TABLE kept AS SELECT 7 AS seven")
        postgres.restart()
        assert await ask(dsn, "INSERT INTO kept VALUES (8) RETURNING seven") == 8
        postgres.kill()
        with pytest.raises(OSError, match=r"refused|Connect call failed"):
            await ask(dsn, "SELECT 1")
        postgres.start()
        assert await ask(dsn, "SELECT sum(seven) FROM kept") == 15


def test_a_running_server_is_not_started_twice(postgres: EmbeddedPostgres) -> None:
    with pytest.raises(EmbeddedError, match="runs already"):
        postgres.start()


def test_stopping_removes_the_temporary_directory() -> None:
    with EmbeddedPostgres() as postgres:
        base = base_of(postgres)
        assert base.stat().st_mode & 0o077 == 0
    assert not base.exists()
    postgres.stop()


async def test_several_start_at_once() -> None:
    servers = [EmbeddedPostgres() for _ in range(3)]
    try:
        with ThreadPoolExecutor(len(servers)) as pool:
            list(pool.map(EmbeddedPostgres.start, servers))
        for number, server in enumerate(servers):
            await ask(server.dsn(), f"CREATE TABLE mine AS SELECT {number} AS n")
        assert [await ask(server.dsn(), "SELECT n FROM mine") for server in servers] == [0, 1, 2]
    finally:
        for server in servers:
            server.stop()


async def test_a_given_directory_keeps_cluster_and_password(enterable: Path) -> None:
    directory = enterable / "cluster"
    with EmbeddedPostgres(directory=directory) as first:
        await ask(first.dsn(), "CREATE TABLE kept AS SELECT 7 AS seven")
        password = urlsplit(first.dsn()).password
    with EmbeddedPostgres(directory=directory) as second:
        assert await ask(second.dsn(), "SELECT seven FROM kept") == 7
        assert urlsplit(second.dsn()).password == password


async def test_a_port_that_is_taken_at_a_restart_is_reported_and_not_exchanged() -> None:
    with EmbeddedPostgres() as postgres:
        port = urlsplit(postgres.dsn()).port
        postgres.kill()
        with socket.create_server(("127.0.0.1", port or 0)), pytest.raises(EmbeddedError, match=f"port {port}"):
            postgres.start()


@as_root
def test_root_runs_it_under_an_unprivileged_account(postgres: EmbeddedPostgres) -> None:
    account = unprivileged_account()
    assert account is not None
    server = int((base_of(postgres) / "data" / "postmaster.pid").read_text().split()[0])
    assert Path(f"/proc/{server}").stat().st_uid == account.uid != 0


@as_root
def test_roots_own_directory_is_not_taken_over(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match="must belong to nobody"):
        EmbeddedPostgres(directory=tmp_path).start()
    assert tmp_path.stat().st_uid == 0
    assert list(tmp_path.iterdir()) == []
