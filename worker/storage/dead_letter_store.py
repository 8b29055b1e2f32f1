"""What reconcile tells dead letters that were replayed: recorded, or failed again. One statement for a whole batch."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from worker.domain.dead_letters import LetterState, ReplayOutcome, Ticket

# A success settles the letter whichever replay brought it: what it says is recorded. A failure speaks only for the
# latest replay, or an old record that is delivered late would open what a newer one is about to settle.
_SETTLE = text(
    f"""
    WITH told AS (
        SELECT * FROM unnest(CAST(:letters AS bigint[]), CAST(:replays AS bigint[]), CAST(:failed AS boolean[]),
            CAST(:fingerprints AS text[]), CAST(:reasons AS text[]), CAST(:details AS text[]))
            AS t(letter_id, replay_id, failed, fingerprint, reason, detail)
    ), items AS (
        UPDATE dead_letter_replay_items i SET settled_at = now(), reason = told.reason,
            outcome = CASE WHEN told.failed THEN '{ReplayOutcome.FAILED_AGAIN}' ELSE '{ReplayOutcome.REPLAYED}' END
        FROM told WHERE i.letter_id = told.letter_id AND i.replay_id = told.replay_id AND i.outcome IS NULL
    ), letters AS (
        UPDATE dead_letters l SET
            state = CASE WHEN told.failed THEN '{LetterState.OPEN}' ELSE '{LetterState.RESOLVED}' END,
            settled_at = CASE WHEN NOT told.failed THEN now() END,
            settled_by = CASE WHEN NOT told.failed THEN 'replay ' || told.replay_id END,
            failures = l.failures + CAST(told.failed AS int),
            failed_at = CASE WHEN told.failed THEN now() ELSE l.failed_at END,
            fingerprint = CASE WHEN told.failed THEN told.fingerprint ELSE l.fingerprint END,
            reason = CASE WHEN told.failed THEN told.reason ELSE l.reason END,
            detail = CASE WHEN told.failed THEN told.detail ELSE l.detail END
        FROM told WHERE l.id = told.letter_id AND CASE
            WHEN told.failed THEN l.state = '{LetterState.REPLAYING}' AND l.replay_id = told.replay_id
            ELSE l.state IN ('{LetterState.OPEN}', '{LetterState.REPLAYING}') END
    )
    SELECT letter_id FROM told WHERE NOT EXISTS (SELECT FROM dead_letters l WHERE l.id = told.letter_id)
    """  # noqa: S608 - names are ours
)


class Failure(msgspec.Struct, frozen=True):
    """Why a replay failed again."""

    fingerprint: str
    reason: str
    detail: str


async def settle_replays(connection: AsyncConnection, ends: Sequence[tuple[Ticket, Failure | None]]) -> set[int]:
    """Record what came of these replays (None: recorded); return the letters that this database does not have."""
    found = await connection.execute(
        _SETTLE,
        {
            "letters": [ticket.letter_id for ticket, _ in ends],
            "replays": [ticket.replay_id for ticket, _ in ends],
            "failed": [failure is not None for _, failure in ends],
            "fingerprints": [failure and failure.fingerprint for _, failure in ends],
            "reasons": [failure and failure.reason for _, failure in ends],
            "details": [failure and failure.detail for _, failure in ends],
        },
    )
    return set(found.scalars())
