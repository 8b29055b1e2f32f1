"""Replays on their way to Kafka: which letters are to be sent, and that they were. Bounded: a storm trickles."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.domain.clock import SECOND
from worker.domain.dead_letters import REPLAY_PATIENCE, Ticket

_LOCK = 0x7265706C6179  # "replay"
_TRY_LOCK = text("SELECT pg_try_advisory_xact_lock(:lock)")
_ON_THE_WAY = text(
    f"""
    SELECT count(*) FROM dead_letter_replay_items
    WHERE outcome IS NULL AND sent_at > now() - interval '{REPLAY_PATIENCE // SECOND} seconds'
    """  # noqa: S608 - a number of ours
)
_UNSENT = text(
    """
    SELECT i.replay_id, i.letter_id, l.topic, l.key, CAST(l.headers AS text) AS headers, l.value
    FROM dead_letter_replay_items i JOIN dead_letters l ON l.id = i.letter_id
    WHERE i.sent_at IS NULL ORDER BY i.replay_id, i.letter_id LIMIT :limit
    """
)
_SENT = text(
    """
    UPDATE dead_letter_replay_items i SET sent_at = now()
    FROM unnest(CAST(:replays AS bigint[]), CAST(:letters AS bigint[])) AS s(replay_id, letter_id)
    WHERE i.replay_id = s.replay_id AND i.letter_id = s.letter_id
    """
)


class UnsentReplay(msgspec.Struct, frozen=True):
    """One letter to be replayed, with the topic's name on the cluster."""

    ticket: Ticket
    topic: str
    key: str
    headers: dict[str, str]
    value: bytes


async def take_unsent(connection: AsyncConnection, limit: int, most_on_the_way: int) -> list[UnsentReplay]:
    """Return the next letters, the oldest request first; none if another process sends, or enough are on their way.

    No row is locked: reconcile may settle a letter before its sender comes to write that it was sent.
    """
    if not (await connection.execute(_TRY_LOCK, {"lock": _LOCK})).scalar_one():
        return []
    room = most_on_the_way - int((await connection.execute(_ON_THE_WAY)).scalar_one())
    if room <= 0:
        return []
    return [
        UnsentReplay(
            Ticket(row.letter_id, row.replay_id),
            row.topic,
            row.key or "",
            msgspec.json.decode(row.headers, type=dict[str, str]),
            bytes(row.value),
        )
        for row in await connection.execute(_UNSENT, {"limit": min(limit, room)})
    ]


async def mark_sent(connection: AsyncConnection, tickets: Sequence[Ticket]) -> None:
    """Record that Kafka has confirmed these replays."""
    params = {"replays": [one.replay_id for one in tickets], "letters": [one.letter_id for one in tickets]}
    await connection.execute(_SENT, params)
