"""What the read API asks the database. Reads only, in read-only transactions.

Following changes without missing one: an order gets its `updated_at` before its transaction commits, so a page that
ends at the newest row could be followed by a row with an earlier time. Hiding young rows would make orders vanish from
lists while they change. Instead every committed row is shown, and the *resume* cursor never passes the horizon, the
instant before which nothing can be committed any more: whoever resumes gets young rows again, and misses none.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta

import asyncpg
import msgspec
from sqlalchemy import BigInteger, DateTime, RowMapping, Select, literal, select, text, tuple_
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from worker.domain.identity import Platform
from worker.domain.status import OrderStatus
from worker.storage.tables import orders

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
MAX_AT = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
"""The last microsecond of the year 9999: no later place can be asked for."""
_AWAY_SQLSTATES = frozenset({"08", "28", "3D", "53", "55", "57", "58"})
"""No connection, refused, no such database, out of resources, locked, operator (time-outs included), disk."""

_o = orders.c
SUMMARY = tuple(column for column in _o if column.name != "evidence")
"""What is shown of an order's row: all but the evidence, which only the merge can read."""

SETTLE_S = 1.0
"""More than the moment between a transaction's start and its showing up in the view of running ones."""
# Sessions of the worker only: a backup that runs for an hour writes no orders. A writer of another database role hides
# its start from us: then ten minutes, longer than the time-outs of one batch allow.
_HORIZON = text(
    """
    SELECT least(
        statement_timestamp() - make_interval(secs => CAST(:settle_s AS double precision)),
        min(coalesce(xact_start, statement_timestamp() - interval '10 minutes')))
    FROM pg_stat_activity
    WHERE datname = current_database() AND application_name LIKE 'ordersync-%' AND pid <> pg_backend_pid()
        AND (xact_start IS NOT NULL OR backend_xid IS NOT NULL)
    """
)


class DatabaseAwayError(RuntimeError):
    """The database does not answer, or not now. Trying again later is worth it."""


class OrderFilter(msgspec.Struct, frozen=True):
    """Which orders to list; None: all."""

    account: str | None = None
    platform: Platform | None = None
    status: OrderStatus | None = None


class Position(msgspec.Struct, frozen=True, order=True):
    """A place in the order of changes: `at` is `updated_at` in microseconds since the epoch, `ref` the row's id."""

    at: int = 0
    ref: int = 0


class Cursor(msgspec.Struct, frozen=True):
    """Where a walk through the list is. `settled`: up to where nothing was missed, once that is not `position`."""

    position: Position = Position()
    settled: Position | None = None


class OrderPage(msgspec.Struct, frozen=True):
    """A page. `following` is None on the last one; `resume` is where to go on later without missing a change."""

    orders: Sequence[RowMapping]
    following: Cursor | None
    resume: Cursor


@asynccontextmanager
async def reading(engine: AsyncEngine, *, one_snapshot: bool = False) -> AsyncIterator[AsyncConnection]:
    """Open a read-only transaction; raises DatabaseAwayError if there is none to be had or it breaks.

    `one_snapshot`: all statements see the same state. Otherwise each sees what is committed when it starts.
    """
    level = "REPEATABLE READ" if one_snapshot else "READ COMMITTED"
    with telling_away():
        async with engine.connect() as connection:
            await connection.execution_options(isolation_level=level, postgresql_readonly=True)
            yield connection


@contextmanager
def telling_away() -> Iterator[None]:
    """Raise DatabaseAwayError for what says that the database is away; everything else as it is."""
    try:
        yield
    except Exception as error:
        if is_away(error):
            raise away(error) from error
        raise


def away(error: Exception) -> DatabaseAwayError:
    """Return what callers are told of an error that means absence."""
    return DatabaseAwayError(f"{type(error).__name__}: {str(error).partition(chr(10))[0][:200]}")


async def answers(engine: AsyncEngine) -> bool:
    """Return True; raises DatabaseAwayError instead of False (for readiness)."""
    async with reading(engine) as connection:
        await connection.execute(text("SELECT 1"))
    return True


def cursor_since(instant: datetime | None) -> Cursor:
    """Return the cursor of a listing that begins with changes at `instant`, or with the first of all."""
    at = 0 if instant is None else (instant - _EPOCH) // _MICROSECOND
    return Cursor(Position(min(max(0, at), MAX_AT)))


async def list_orders(connection: AsyncConnection, wanted: OrderFilter, cursor: Cursor, limit: int) -> OrderPage:
    """Return the next `limit` orders by (updated_at, id). Needs a connection of `reading` without `one_snapshot`."""
    # First the horizon, then the rows: what was committed in between is older than neither.
    horizon = _position((await connection.execute(_HORIZON, {"settle_s": SETTLE_S})).scalar_one())
    found = (await connection.execute(_page(wanted, cursor.position, limit + 1))).mappings().all()
    return _page_of(found, cursor, horizon, limit)


def _page(wanted: OrderFilter, after: Position, limit: int) -> Select[tuple[object, ...]]:
    at = literal(_EPOCH + after.at * _MICROSECOND, DateTime(timezone=True))
    query = (
        select(*SUMMARY)
        .where(tuple_(_o.updated_at, _o.id) > tuple_(at, literal(after.ref, BigInteger)))
        .order_by(_o.updated_at, _o.id)
        .limit(limit)
    )
    filters = {_o.account: wanted.account, _o.platform: wanted.platform, _o.status: wanted.status}
    return query.where(*(column == str(value) for column, value in filters.items() if value is not None))


def _page_of(found: Sequence[RowMapping], cursor: Cursor, horizon: Position, limit: int) -> OrderPage:
    """Cut the page, and find the last place before the horizon; once a walk has passed it, the walk remembers it."""
    shown = found[:limit]
    places = [cursor.position, *(_position(row["updated_at"], row["id"]) for row in shown)]
    settled = cursor.settled
    if settled is None and places[-1] >= horizon:
        settled = max((place for place in places if place < horizon), default=cursor.position)
    following = Cursor(places[-1], settled) if len(found) > limit else None
    return OrderPage(shown, following, Cursor(settled or places[-1]))


def _position(at: datetime, ref: int = 0) -> Position:
    return Position((at - _EPOCH) // _MICROSECOND, ref)


def is_away(error: Exception) -> bool:
    """Tell whether it was the database's absence and no fault in what was asked of it."""
    if isinstance(error, OSError | TimeoutError | PoolTimeoutError | asyncpg.InterfaceError):
        return True
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    cause = error.orig if isinstance(error, DBAPIError) else error
    return str(getattr(cause, "sqlstate", None) or "")[:2] in _AWAY_SQLSTATES
