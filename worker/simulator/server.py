"""The Postgres under a simulation: one server, a database per process, and a session to steer it by."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Self
from urllib.parse import urlsplit

from worker.embedded import EmbeddedPostgres
from worker.simulator import messages, witness
from worker.simulator.driver import tell
from worker.simulator.postponed import PREPARED, Descriptions
from worker.storage import schema

ROLE = "simulated"
SCHEMA = "virtual"
ANSWER_WITHIN_S = 60.0
LOOK_S = 0.003
"""Real time after which a silent server is asked whether the statement waits for a lock."""
_LOOK = struct.pack("ll", 0, int(LOOK_S * 1_000_000))
_READY_WITHIN_S = 20.0
_LOOK_AGAIN_S = 0.02
_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",  # its statistics would change plans, and so the order of rows, at its own pace
    "deadlock_timeout": "60s",  # real time; a simulated lock time-out comes first
    "shared_buffers": "64MB",
    "max_connections": "200",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "1h",
    "plan_cache_mode": "force_generic_plan",  # planned once per session, not anew for each of the first five times
    "update_process_title": "off",
    "track_activities": "off",
    "track_counts": "off",
}

# now() and clock_timestamp() are looked up here before pg_catalog, so that the product's SQL runs on virtual time as it
# stands. pg_notify() tells who stands between client and server, gen_random_uuid() is the same in every run.
_VIRTUAL = f"""
CREATE SCHEMA {SCHEMA};
CREATE FUNCTION {SCHEMA}.now() RETURNS timestamptz LANGUAGE sql STABLE
    AS $$ SELECT current_setting('virtual.began')::timestamptz $$;
CREATE FUNCTION {SCHEMA}.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE
    AS $$ SELECT current_setting('virtual.now')::timestamptz $$;
CREATE FUNCTION {SCHEMA}.statement_timestamp() RETURNS timestamptz LANGUAGE sql STABLE
    AS $$ SELECT current_setting('virtual.now')::timestamptz $$;
CREATE FUNCTION {SCHEMA}.pg_notify(channel text, payload text) RETURNS void LANGUAGE plpgsql
    AS $$ BEGIN RAISE NOTICE 'notify %', payload; END $$;
CREATE SEQUENCE {SCHEMA}.uuids;
CREATE FUNCTION {SCHEMA}.gen_random_uuid() RETURNS uuid LANGUAGE sql VOLATILE
    AS $$ SELECT md5(nextval('{SCHEMA}.uuids')::text)::uuid $$;
"""


_TABLES = (
    f"SELECT tablename FROM pg_tables WHERE schemaname = '{SCHEMA}' AND tablename <> 'alembic_version' "  # noqa: S608
    "ORDER BY tablename"
)
_RESTART_NUMBERS = (
    "SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, 1, false) FROM pg_sequences "  # noqa: S608
    f"WHERE schemaname = '{SCHEMA}'"
)


_RESET = messages.query("ROLLBACK; RESET ALL; SELECT pg_advisory_unlock_all(); CLOSE ALL; UNLISTEN *")


class ServerError(RuntimeError):
    """The server said no to the simulation itself."""


class Backend:
    """One session at the server, kept for many simulated ones: to begin one costs more than a dozen statements."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.socket = address.connect()
        parameters = {"user": address.user, "database": address.database, "application_name": "simulator"}
        self.exchange(messages.startup(parameters), b"")
        self.greeting = self.exchange(messages.message(b"p", address.password.encode() + b"\0"), b"")
        """What the server says once the password is right."""
        key = next((body for kind, body in messages.split(self.greeting) if kind == b"K"), None)
        if key is None:
            raise ServerError("the server does not let us in")
        self.pid = struct.unpack_from("!i", key)[0]
        self._secret = key[4:]
        self.prepared: set[bytes] = set()
        """Names of the statements that it was given since it last forgot them all."""
        self.exchange(PREPARED, b"S")

    def exchange(self, packet: bytes, asked: bytes) -> bytes:
        """Send a request and return the whole answer, whatever it says. Raises ServerError if the session ends."""
        self.socket.sendall(packet)
        reader = messages.Reader(asked)
        waited = 0.0
        while True:
            part = self.receive()
            if part is None:
                waited += LOOK_S
                if waited > ANSWER_WITHIN_S:
                    raise ServerError("the server does not answer")
            elif reader.feed(part):
                return bytes(reader.data)

    def receive(self) -> bytes | None:
        """Return what came; None if nothing came for `LOOK_S`. Raises ServerError if the session has ended."""
        try:
            part = self.socket.recv(262_144)
        except BlockingIOError:
            return None
        if not part:
            raise ServerError("the server ended the session")
        return part

    def reset(self, *, settled: bool) -> None:
        """Undo what the session did and has not committed, and everything that it set or holds.

        `settled`: its last request has been answered whole. What was prepared stays: see `forget`.
        """
        if not settled:
            self.exchange(messages.message(b"S", b""), b"S")
        self.exchange(_RESET, b"Q")

    def forget(self) -> None:
        """Forget what was prepared: plans depend on what the tables hold, and a run must not depend on the last one."""
        if self.prepared:
            names = sorted(name.decode() for name in self.prepared)
            self.exchange(messages.query("; ".join(f"DEALLOCATE {name}" for name in names)), b"Q")
            self.prepared.clear()

    def cancel(self) -> None:
        """Let the statement fail that the session is busy with; its answer is still to be read."""
        with self.address.connect() as other:
            other.settimeout(ANSWER_WITHIN_S)
            other.sendall(messages.cancellation(self.pid, self._secret))
            while other.recv(1):
                pass

    def close(self) -> None:
        """End the session."""
        self.socket.close()


class Session:
    """A blocking session of our own: one simple query at a time, every value as text."""

    def __init__(self, address: Address) -> None:
        self._backend = Backend(address)

    def query(self, sql: str) -> list[tuple[str | None, ...]]:
        """Run statements and return the rows of all of them. Raises ServerError."""
        rows = []
        for kind, body in messages.split(self._backend.exchange(messages.query(sql), b"Q")):
            if kind == b"D":
                rows.append(tuple(_values(body)))
            elif kind == b"E":
                raise ServerError(messages.fields_of(body).get("M", "no reason given"))
        return rows

    def value(self, sql: str) -> str | None:
        """Return the first value of the first row."""
        rows = self.query(sql)
        return rows[0][0] if rows else None

    def close(self) -> None:
        """End the session."""
        self._backend.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _values(body: bytes) -> Iterator[str | None]:
    (count,) = struct.unpack_from("!h", body)
    at = 2
    for _ in range(count):
        (length,) = struct.unpack_from("!i", body, at)
        at += 4
        if length < 0:
            yield None
        else:
            yield body[at : at + length].decode()
            at += length


class Address:
    """Where a simulated database is: what a DSN says, in parts."""

    def __init__(self, dsn: str) -> None:
        parts = urlsplit(dsn)
        self.dsn = dsn
        self.host, self.port = parts.hostname or "127.0.0.1", parts.port or 5432
        self.user, self.password = parts.username or "", parts.password or ""
        self.database = parts.path.lstrip("/")
        self.socket_path = ""
        """A way to the server that costs less than half of a network connection; empty until it is known."""

    def connect(self) -> socket.socket:
        """Open a connection whose `recv` gives up after `LOOK_S`."""
        if self.socket_path:
            made = socket.socket(socket.AF_UNIX)
            made.connect(self.socket_path)
        else:
            made = socket.create_connection((self.host, self.port), timeout=ANSWER_WITHIN_S)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            made.settimeout(None)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _LOOK)
        return made

    def session(self) -> Session:
        """Open a session of our own."""
        return Session(self)


class Database:
    """A simulated database as one process plays on it, run after run."""

    def __init__(self, dsn: str) -> None:
        self.address = Address(dsn)
        with self.address.session() as session:
            directory = session.value("SHOW unix_socket_directories")
        if directory:
            self.address.socket_path = f"{directory}/.s.PGSQL.{self.address.port}"
        self.session = self.address.session()
        self.spares: list[Backend] = []
        """Sessions that wait for their next connection."""
        self.descriptions: Descriptions = {}
        tell(dsn + "?sslmode=disable")

    def close(self) -> None:
        """End all sessions."""
        self.session.close()
        for backend in self.spares:
            backend.close()


@asynccontextmanager
async def server() -> AsyncIterator[str]:
    """Run a server for simulations; yields the address of its first database as the simulations' role."""
    with tempfile.TemporaryDirectory(prefix="sim") as directory:
        os.chmod(directory, 0o777)  # noqa: PTH101, S103 - the server may run as another user
        settings = _SETTINGS | {"unix_socket_directories": directory}
        async with EmbeddedPostgres(settings) as postgres:
            dsn = postgres.dsn()
            await _prepare(dsn)
            parts = urlsplit(dsn)
            own = f"postgresql://{ROLE}:{parts.password}@{parts.hostname}:{parts.port}/{parts.path.lstrip('/')}"
            async with asyncio.timeout(_READY_WITHIN_S):
                while not _lets_in(Address(own)):  # noqa: ASYNC110 - the server tells nobody
                    await asyncio.sleep(_LOOK_AGAIN_S)
            yield own


def _lets_in(address: Address) -> bool:
    """Tell whether the server has read who may log in how: it does so in its own time."""
    try:
        address.session().close()
    except ServerError:
        return False
    return True


async def _prepare(dsn: str) -> None:
    """Let the role log in cheaply: a simulation connects hundreds of times, and only from this machine."""
    import asyncpg

    connection = await asyncpg.connect(dsn)
    try:
        password = urlsplit(dsn).password or ""
        if not password.isalnum():
            raise ServerError("the embedded server's password cannot be quoted")
        await connection.execute("SET scram_iterations = 1")
        await connection.execute(f"CREATE ROLE {ROLE} SUPERUSER LOGIN PASSWORD '{password}'")
        await connection.execute(f"ALTER ROLE {ROLE} SET search_path = {SCHEMA}, pg_catalog")
        hba = await connection.fetchval("SHOW hba_file")
        line = (
            f"local all {ROLE} password\nhost all {ROLE} 127.0.0.1/32 password\nhost all all 127.0.0.1/32 scram-sha-256"
        )
        await connection.execute(f"COPY (SELECT unnest(string_to_array('{line}', E'\\n'))) TO '{hba}'")
        await connection.execute("SELECT pg_reload_conf()")
    finally:
        await connection.close()


def create_database(dsn: str, name: str) -> str:
    """Create a database with the product's schema on virtual time; return its address."""
    address = Address(dsn)
    with address.session() as session:
        session.query(f"CREATE DATABASE {name}")
    own = f"postgresql://{address.user}:{address.password}@{address.host}:{address.port}/{name}"
    with Address(own).session() as session:
        session.query(_VIRTUAL)
        session.query(f"ALTER DATABASE {name} SET virtual.now = '2000-01-01'; ")
        session.query(f"ALTER DATABASE {name} SET virtual.began = '2000-01-01'")
    schema.upgrade(own)
    with Address(own).session() as session:
        session.query(witness.statements(SCHEMA))
        empty(session)
    return own


def empty(session: Session) -> None:
    """Empty every table of a simulated database: no page and no number of an earlier run stays.

    Deleted and vacuumed, not truncated: to make new files for some twenty tables takes longer than a run may.
    """
    tables = [row[0] or "" for row in session.query(_TABLES)]
    session.query("SET session_replication_role = replica")  # the product's own triggers refuse to forget anything
    session.query("; ".join(f"DELETE FROM {name}" for name in tables))  # noqa: S608 - names are ours
    session.query("RESET session_replication_role")
    session.query(f"VACUUM (TRUNCATE, INDEX_CLEANUP ON) {', '.join(tables)}")
    session.query(_RESTART_NUMBERS)
