"""Requests of people about dead letters: replay, discard. Each in one transaction with its line in the audit log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, RowMapping, Select, case, func, insert, literal, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.domain.clock import SECOND
from worker.domain.dead_letters import REPLAY_PATIENCE, LetterState, ReplayOutcome
from worker.domain.operators import RefusalKind, RefusedError
from worker.storage import audit_store
from worker.storage.tables import dead_letter_replay_items, dead_letter_replays, dead_letters

MAX_LETTERS = 10_000
"""Of one request; the report says how many it left for the next one."""
_REQUEST_LOCK = 0x64656164  # "dead"
_LOCK_REQUESTS = text("SELECT pg_advisory_xact_lock(:lock)")
_PATIENCE_S = REPLAY_PATIENCE // SECOND
_l = dead_letters.c
_i = dead_letter_replay_items.c
_r = dead_letter_replays.c


class Selection(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which letters: all criteria that are given must hold. `since` and `until` are about when the letter came."""

    letters: tuple[int, ...] = ()
    fingerprint: str | None = None
    topic: str | None = None
    reason_contains: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_empty(self) -> bool:
        """Tell whether it names nothing, and so would mean everything."""
        return self == Selection()


class Request(msgspec.Struct, frozen=True):
    """What a person asks for, and why."""

    selection: Selection
    actor: str
    reason: str


class Report(msgspec.Struct, frozen=True):
    """What a request does, or would do: letters taken, letters passed over by why, letters left for another request."""

    taken: int
    skipped: dict[str, int] = {}
    left: int = 0


class Replay(msgspec.Struct, frozen=True):
    """A replay request as it stands. `repeated`: it had been asked for before, and nothing was begun again."""

    id: int
    nonce: str
    actor: str
    reason: str
    created_at: datetime
    report: Report
    waiting: int
    sent: int
    replayed: int
    failed_again: int
    reasons: dict[str, int] = {}
    repeated: bool = False

    @property
    def is_over(self) -> bool:
        """Tell whether every letter has its outcome."""
        return self.waiting == self.sent == 0


def matching(wanted: Selection) -> list[ColumnElement[bool]]:
    """Return the conditions of a selection. Text of people goes in as parameters, `%` and `_` as themselves."""
    found: list[ColumnElement[bool]] = []
    if wanted.letters:
        found.append(_l.id.in_(wanted.letters))
    if wanted.fingerprint is not None:
        found.append(_l.fingerprint == wanted.fingerprint)
    if wanted.topic is not None:
        found.append(_l.topic == wanted.topic)
    if wanted.reason_contains is not None:
        found.append(_l.reason.icontains(wanted.reason_contains, autoescape=True))
    if wanted.since is not None:
        found.append(_l.created_at >= wanted.since)
    if wanted.until is not None:
        found.append(_l.created_at < wanted.until)
    return found


async def count(connection: AsyncConnection, wanted: Selection, topics: Sequence[str], *, replay: bool) -> Report:
    """Return what a replay (or a discard) of these letters would take, without taking anything."""
    standing = _standing(topics, replay=replay)
    query = select(standing.label("standing"), func.count()).where(*matching(wanted)).group_by(standing)
    counts = {row[0]: int(row[1]) for row in await connection.execute(query)}
    able = counts.pop("able", 0)
    if wanted.letters:
        known = select(func.count()).select_from(dead_letters).where(_l.id.in_(wanted.letters))
        missing = len(set(wanted.letters)) - int((await connection.execute(known)).scalar_one())
        counts |= {"no_such_letter": missing} if missing else {}
    return Report(min(able, MAX_LETTERS), counts, max(0, able - MAX_LETTERS))


async def begin_replay(connection: AsyncConnection, asked: Request, nonce: str, topics: Sequence[str]) -> Replay:
    """Take the letters for a replay; the replayer sends them. Raises RefusedError for a nonce of another request.

    The same request with the same nonce, sent twice or at the same time, takes them once.
    """
    await connection.execute(_LOCK_REQUESTS, {"lock": _REQUEST_LOCK})
    known = await find_replay(connection, nonce)
    request = _as_stored(asked.selection)
    if known is not None:
        before = (await connection.execute(select(_r.request).where(_r.nonce == nonce))).scalar_one()
        if before != request:
            raise RefusedError(
                RefusalKind.CONFLICT, "this nonce was used for another request; a new request needs a new one"
            )
        return msgspec.structs.replace(known, repeated=True)
    report = await count(connection, asked.selection, topics, replay=True)
    values = {"nonce": nonce, "request": request, "report": {}, "actor": asked.actor, "reason": asked.reason}
    written = await connection.execute(insert(dead_letter_replays).values(values).returning(_r.id))
    replay_id = written.scalar_one()
    taken = (
        update(dead_letters)
        .where(_l.id.in_(_able(asked.selection, topics, replay=True)))
        .values(state=LetterState.REPLAYING.value, replay_id=replay_id)
        .returning(literal(replay_id).label("replay_id"), _l.id)
        .cte("taken")
    )
    items = insert(dead_letter_replay_items).from_select(["replay_id", "letter_id"], select(taken))
    report = msgspec.structs.replace(report, taken=(await connection.execute(items)).rowcount)
    told = update(dead_letter_replays).where(_r.id == replay_id).values(report=msgspec.to_builtins(report))
    await connection.execute(told)
    await _audit(connection, asked, "dead_letters.replay", f"dead_letter_replay:{replay_id}", report, nonce=nonce)
    begun = await find_replay(connection, nonce)
    if begun is None:
        raise RuntimeError("a replay that was just written cannot be read")
    return begun


async def discard(connection: AsyncConnection, asked: Request) -> Report:
    """Mark open letters as discarded, with who said so and why; nothing is deleted."""
    await connection.execute(_LOCK_REQUESTS, {"lock": _REQUEST_LOCK})
    report = await count(connection, asked.selection, (), replay=False)
    able = _able(asked.selection, (), replay=False)
    values = {"state": LetterState.DISCARDED.value, "settled_at": func.now(), "settled_by": asked.actor,
              "settled_reason": asked.reason}  # fmt: skip
    done = await connection.execute(update(dead_letters).where(_l.id.in_(able)).values(values))
    report = msgspec.structs.replace(report, taken=done.rowcount)
    await _audit(connection, asked, "dead_letters.discard", "dead_letters", report)
    return report


async def find_replay(connection: AsyncConnection, nonce: str) -> Replay | None:
    """Return a replay with what has become of its letters, None if nobody asked for it."""
    row = (await connection.execute(select(dead_letter_replays).where(_r.nonce == nonce))).mappings().one_or_none()
    if row is None:
        return None
    return _replay(row, await _tally(connection, row["id"]))


async def _tally(connection: AsyncConnection, replay_id: int) -> Sequence[RowMapping]:
    query = (
        select(_i.outcome, _i.sent_at.is_not(None).label("sent"), _i.reason, func.count().label("letters"))
        .where(_i.replay_id == replay_id)
        .group_by(_i.outcome, _i.sent_at.is_not(None), _i.reason)
    )
    return (await connection.execute(query)).mappings().all()


def _replay(row: RowMapping, tally: Sequence[RowMapping]) -> Replay:
    def letters(outcome: str | None, *, sent: bool | None = None) -> int:
        return sum(part["letters"] for part in tally if part["outcome"] == outcome and sent in (None, part["sent"]))

    reasons: dict[str, int] = {}
    for part in tally:
        if part["outcome"] == ReplayOutcome.FAILED_AGAIN:
            reasons[part["reason"]] = reasons.get(part["reason"], 0) + part["letters"]
    return Replay(
        id=row["id"],
        nonce=row["nonce"],
        actor=row["actor"],
        reason=row["reason"],
        created_at=row["created_at"],
        report=msgspec.convert(row["report"], Report),
        waiting=letters(None, sent=False),
        sent=letters(None, sent=True),
        replayed=letters(ReplayOutcome.REPLAYED),
        failed_again=letters(ReplayOutcome.FAILED_AGAIN),
        reasons=reasons,
    )


def _standing(topics: Sequence[str], *, replay: bool) -> ColumnElement[str]:
    """Return SQL that says whether a letter can be taken, or why not."""
    heard_of = text(
        f"EXISTS (SELECT FROM dead_letter_replay_items i WHERE i.letter_id = dead_letters.id "
        f"AND i.replay_id = dead_letters.replay_id AND (i.sent_at IS NULL "
        f"OR i.sent_at > now() - interval '{_PATIENCE_S} seconds'))"
    )
    whens: list[Any] = [
        (_l.state == LetterState.RESOLVED.value, "already_replayed"),
        (_l.state == LetterState.DISCARDED.value, "discarded"),
    ]
    if replay:
        whens.append(((_l.state == LetterState.REPLAYING.value) & heard_of, "being_replayed"))
        whens.append((_l.topic.not_in(topics), "foreign_topic"))
    else:
        whens.append((_l.state == LetterState.REPLAYING.value, "being_replayed"))
    return case(*whens, else_="able")


def _able(wanted: Selection, topics: Sequence[str], *, replay: bool) -> Select[tuple[int]]:
    """Return the query for the letters that are taken, the oldest first."""
    able = _standing(topics, replay=replay) == "able"
    return select(_l.id).where(*matching(wanted), able).order_by(_l.id).limit(MAX_LETTERS).with_for_update()


def _as_stored(wanted: Selection) -> Any:
    """Return the selection as the database will give it back, to compare it with."""
    return msgspec.json.decode(msgspec.json.encode(wanted))


async def _audit(
    connection: AsyncConnection, asked: Request, action: str, subject: str, report: Report, **more: Any
) -> None:
    details = {
        "selection": _as_stored(asked.selection),
        "taken": report.taken,
        "skipped": report.skipped,
        "left": report.left,
    }
    await audit_store.append(
        connection, actor=asked.actor, action=action, subject=subject, reason=asked.reason, details=details | more
    )
