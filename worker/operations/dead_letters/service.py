"""What people may do about dead letters, whichever way they ask: API and command line call the same functions."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncEngine

from worker.domain.operators import Actor, RefusalKind, RefusedError, Role, require, stated
from worker.storage import dead_letter_replays
from worker.storage.dead_letter_replays import Replay, Report, Request, Selection
from worker.storage.engine import transaction
from worker.storage.wakeup import Work, notify

MAX_NAMED_LETTERS = 1_000
_NONCE = re.compile(r"[A-Za-z0-9_.:-]{8,100}")


async def preview(engine: AsyncEngine, wanted: Selection, topics: Sequence[str], *, replay: bool) -> Report:
    """Return what a replay (else: a discard) would take; nothing is changed. Raises RefusedError."""
    _check(wanted)
    async with engine.connect() as connection:
        return await dead_letter_replays.count(connection, wanted, topics, replay=replay)


async def replay(
    engine: AsyncEngine, actor: Actor, wanted: Selection, *, reason: str | None, nonce: str, topics: Sequence[str]
) -> Replay:
    """Take letters for a replay and wake who sends them. Raises RefusedError."""
    require(actor, "replay dead letters", Role.OPERATOR)
    asked = Request(_check(wanted), actor.name, stated(reason))
    if not _NONCE.fullmatch(nonce):
        raise _invalid("the nonce must be 8 to 100 letters, digits, dots, colons, - or _; a UUID does well")
    async with transaction(engine) as connection:
        begun = await dead_letter_replays.begin_replay(connection, asked, nonce, topics)
        await notify(connection, Work.REPLAYS)
    return begun


async def discard(engine: AsyncEngine, actor: Actor, wanted: Selection, *, reason: str | None) -> Report:
    """Mark letters as not needed; they are kept. Raises RefusedError."""
    require(actor, "discard dead letters", Role.OPERATOR)
    asked = Request(_check(wanted), actor.name, stated(reason))
    async with transaction(engine) as connection:
        return await dead_letter_replays.discard(connection, asked)


def _check(wanted: Selection) -> Selection:
    if wanted.is_empty:
        raise _invalid("say which letters: ids, or a fingerprint, topic, time or words of the reason")
    if len(wanted.letters) > MAX_NAMED_LETTERS:
        raise _invalid(f"at most {MAX_NAMED_LETTERS} letters can be named at once; name what they share instead")
    return wanted


def _invalid(message: str) -> RefusedError:
    return RefusedError(RefusalKind.INVALID, message)
