"""`ordersync dead-letters`: what was set aside, and what is to become of it."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from worker.broker.topics import TopicNames
from worker.cli.identity import who
from worker.cli.letter_filter import LetterFilter
from worker.cli.output import SafeConsole
from worker.cli.session import FAILED, OK, print_json, with_database
from worker.operations.dead_letters import service
from worker.operations.dead_letters.decoding import decoded
from worker.operations.dead_letters.masking import mask_text
from worker.settings import Settings, load_settings
from worker.storage import dead_letter_replays, read_dead_letters
from worker.storage.dead_letter_replays import Replay, Report, Selection

LOOK_EVERY_S = 0.2
_WHY = {
    "already_replayed": "already replayed",
    "being_replayed": "being replayed just now",
    "discarded": "discarded before",
    "foreign_topic": "of a topic of another installation",
    "no_such_letter": "not there at all",
}


def show_groups(state: str | None, *, limit: int, as_json: bool) -> int:
    """Print the causes; return the exit status."""

    async def run(engine: AsyncEngine, _settings: Settings, console: SafeConsole) -> int:
        async with engine.connect() as connection:
            rows = await read_dead_letters.groups(connection, _states(state), limit)
        if as_json:
            print_json([{**row, "reason": mask_text(row["reason"])} for row in rows])
            return OK
        for row in rows:
            console.say(
                f"{row['fingerprint']}  {row['letters']} letters, {_time(row['first_at'])} to {_time(row['last_at'])}, "
                f"latest {row['last_id']}, replays that failed: {row['failed_replays']}\n    {mask_text(row['reason'])}"
            )
        console.say(f"{len(rows)} causes, {sum(row['letters'] for row in rows)} letters")
        return OK

    return _with_database(run)


def show_letters(wanted: LetterFilter, state: str | None, *, limit: int, as_json: bool) -> int:
    """Print letters, newest first; return the exit status."""

    async def run(engine: AsyncEngine, _settings: Settings, console: SafeConsole) -> int:
        async with engine.connect() as connection:
            rows = await read_dead_letters.letters(
                connection, _selection(wanted), _states(state), before=None, limit=limit
            )
        if as_json:
            print_json([{**row, "reason": mask_text(row["reason"])} for row in rows])
            return OK
        for row in rows:
            console.say(
                f"{row['id']}  {_time(row['created_at'])}  {row['state']}  "
                f"{row['topic']}/{row['partition']}/{row['offset']}  {mask_text(row['reason'])}"
            )
        console.say(f"{len(rows)} letters" + (" (there may be more: --limit)" if len(rows) == limit else ""))
        return OK

    return _with_database(run)


def show_letter(letter_id: int, *, as_json: bool) -> int:
    """Print one letter with everything that may be shown; return the exit status."""

    async def run(engine: AsyncEngine, _settings: Settings, console: SafeConsole) -> int:
        async with engine.connect() as connection:
            found = await read_dead_letters.letter(connection, letter_id)
        if found is None:
            console.say(f"there is no dead letter {letter_id}")
            return FAILED
        row = {
            name: held for name, held in found.letter.items() if name not in {"value", "detail"} and held is not None
        }
        row |= {
            "reason": mask_text(found.letter["reason"]),
            "headers": {name: mask_text(held) for name, held in found.letter["headers"].items()},
            "value": decoded(found.letter["headers"], bytes(found.letter["value"])),
            "stack": mask_text(found.letter["detail"]),
            "replays": [dict(replay) for replay in found.replays],
        }
        if as_json:
            print_json(row)
            return OK
        stack = row.pop("stack")
        console.say(msgspec.json.format(msgspec.json.encode(row), indent=2).decode())
        console.say(f"stack:\n{stack}" if stack else "no stack: the message itself was not understood")
        return OK

    return _with_database(run)


def replay(
    letters: Sequence[int],
    wanted: LetterFilter,
    *,
    reason: str | None,
    nonce: str | None,
    dry_run: bool,
    wait_s: float,
) -> int:
    """Ask for a replay and wait for what becomes of it; 0 only if every letter that was taken was recorded."""
    selection = _selection(wanted, letters)

    async def run(engine: AsyncEngine, settings: Settings, console: SafeConsole) -> int:
        topics = TopicNames(settings.topic_prefix).consumed
        if dry_run:
            _say_counts(console, "would be replayed", await service.preview(engine, selection, topics, replay=True))
            return OK
        chosen = nonce or str(uuid.uuid4())
        begun = await service.replay(engine, who(settings), selection, reason=reason, nonce=chosen, topics=topics)
        if begun.repeated:
            console.say(f"this very request was made at {_time(begun.created_at)}; nothing is replayed a second time")
        _say_counts(console, "taken", begun.report)
        return _say_end(console, await _watch(engine, begun, wait_s))

    return _with_database(run)


def discard(letters: Sequence[int], wanted: LetterFilter, *, reason: str | None, dry_run: bool) -> int:
    """Mark letters as not needed; return the exit status."""
    selection = _selection(wanted, letters)

    async def run(engine: AsyncEngine, settings: Settings, console: SafeConsole) -> int:
        if dry_run:
            _say_counts(
                console, "would be discarded (kept)", await service.preview(engine, selection, (), replay=False)
            )
            return OK
        report = await service.discard(engine, who(settings), selection, reason=reason)
        _say_counts(console, "discarded (kept and marked)", report)
        return OK if report.taken else FAILED

    return _with_database(run)


async def _watch(engine: AsyncEngine, begun: Replay, wait_s: float) -> Replay:
    """Return the replay once every letter has its outcome, or as it stands after `wait_s`."""
    deadline = time.monotonic() + wait_s
    seen = begun
    while not seen.is_over and time.monotonic() < deadline:
        await asyncio.sleep(LOOK_EVERY_S)
        async with engine.connect() as connection:
            seen = await dead_letter_replays.find_replay(connection, begun.nonce) or seen
    return seen


def _say_counts(console: SafeConsole, what: str, report: Report) -> None:
    console.say(f"{report.taken} {what}")
    for why, letters in sorted(report.skipped.items()):
        console.say(f"{letters} skipped: {_WHY.get(why, why)}")
    if report.left:
        console.say(f"{report.left} left for another request: one takes at most {dead_letter_replays.MAX_LETTERS}")


def _say_end(console: SafeConsole, seen: Replay) -> int:
    console.say(f"{seen.replayed} replayed, {seen.failed_again} failed again (nonce {seen.nonce})")
    for reason, letters in sorted(seen.reasons.items()):
        console.say(f"    {letters}: {mask_text(reason)}")
    if not seen.is_over:
        console.say(
            f"{seen.waiting} not sent yet, {seen.sent} on their way: a running worker sends and records them "
            f"(ordersync run). Ask again with the same letters and --nonce {seen.nonce}"
        )
    if not seen.report.taken:
        console.say("nothing was replayed: no letter of these waits")
    return OK if seen.is_over and seen.report.taken and not seen.failed_again else FAILED


def _with_database(run: Callable[[AsyncEngine, Settings, SafeConsole], Awaitable[int]]) -> int:
    settings = load_settings()
    return with_database(settings, lambda engine, console: run(engine, settings, console), what="dead letters")


def _states(state: str | None) -> list[str]:
    return list(read_dead_letters.WAITING) if state is None else [state]


def _selection(wanted: LetterFilter, letters: Sequence[int] = ()) -> Selection:
    since, until = _aware(wanted.since), _aware(wanted.until)
    return Selection(tuple(letters), wanted.fingerprint, wanted.topic, wanted.matching, since, until)


def _aware(at: datetime | None) -> datetime | None:
    return at if at is None or at.tzinfo is not None else at.replace(tzinfo=UTC)


def _time(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
