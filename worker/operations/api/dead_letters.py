"""The routes of dead letters: by cause, one by one, and what an operator may do about them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncEngine

from worker.domain.dead_letters import LetterState, ReplayOutcome
from worker.domain.operators import MAX_REASON_CHARS
from worker.operations.api.errors import ApiError, errors
from worker.operations.api.guard import Caller
from worker.operations.api.models import Record, words
from worker.operations.api.parameters import DeadLettersQuery, LettersQuery, RowId
from worker.operations.dead_letters import service
from worker.operations.dead_letters.decoding import decoded
from worker.operations.dead_letters.masking import mask_text
from worker.storage import dead_letter_replays, read_dead_letters
from worker.storage.dead_letter_replays import Replay, Report, Selection
from worker.storage.read_store import reading, telling_away


class DeadLetterGroup(BaseModel):
    """Messages that could not be applied, of one cause."""

    fingerprint: str
    letters: Annotated[int, Field(description="How many there are, in the states asked for")]
    reason: Annotated[str, Field(description="Of the latest one")]
    first_at: datetime
    last_at: Annotated[datetime, Field(description="When one last came, or failed again")]
    failed_replays: Annotated[int, Field(description="How many replays of them failed again")]
    last_letter: Annotated[str, Field(description="Id of the latest one")]
    last_record: Record


class DeadLetterGroups(BaseModel):
    """Dead letters by cause, the cause that came up last first."""

    groups: list[DeadLetterGroup]


class Letter(BaseModel):
    """One dead letter, without what stands in it."""

    id: str
    fingerprint: str
    reason: str
    state: Annotated[str, words(LetterState)]
    record: Record
    key: str | None
    created_at: datetime
    failures: Annotated[int, Field(description="Replays that failed again")]
    failed_at: Annotated[datetime | None, Field(description="When a replay last failed again")]
    settled_at: datetime | None
    settled_by: Annotated[str | None, Field(description="`replay N`, or who discarded it")]
    settled_reason: str | None


class LetterList(BaseModel):
    """One page of letters, newest first."""

    letters: list[Letter]
    earlier: Annotated[str | None, Field(description="Send it as `before` for the next page; null on the last one")]


class LetterReplay(BaseModel):
    """One time that the letter was sent again."""

    nonce: str
    actor: str
    why: str
    created_at: datetime
    sent_at: datetime | None
    outcome: Annotated[str | None, Field(description=f"{', '.join(ReplayOutcome)}; null: not known yet")]
    reason: Annotated[str | None, Field(description="Why it failed again")]
    settled_at: datetime | None


class LetterDetail(Letter):
    """One dead letter with everything that may be shown."""

    headers: dict[str, str]
    value: Annotated[Any, Field(description="Decoded; what may be about a person is left out")]
    value_bytes: int
    stack: Annotated[str, Field(description="Where our code failed, or what the sender's message lacked")]
    replays: list[LetterReplay]


class LetterFilter(BaseModel):
    """Which letters: all that is given must hold, and something must be given."""

    model_config = ConfigDict(extra="forbid")

    letters: Annotated[list[RowId], Field(max_length=service.MAX_NAMED_LETTERS)] = []
    fingerprint: Annotated[str | None, Field(max_length=64)] = None
    topic: Annotated[str | None, Field(max_length=249)] = None
    reason_contains: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    since: Annotated[AwareDatetime | None, Field(description="Letters that came at this instant or later")] = None
    until: Annotated[AwareDatetime | None, Field(description="Letters that came before this instant")] = None

    def selection(self) -> Selection:
        """Return the filter as storage knows it."""
        given = self.model_dump() | {"letters": tuple(int(one) for one in self.letters)}
        return Selection(**given)


class DiscardRequest(BaseModel):
    """Letters that are not needed; they are kept and marked."""

    model_config = ConfigDict(extra="forbid")

    filter: LetterFilter
    reason: Annotated[str, Field(min_length=1, max_length=MAX_REASON_CHARS, description="For the audit log")]
    dry_run: Annotated[bool, Field(description="Only count")] = False


class ReplayRequest(DiscardRequest):
    """Letters that are to be sent again."""

    nonce: Annotated[
        str,
        Field(min_length=8, max_length=100, description="Yours, new for each request: sent twice, it replays once"),
    ]


class Counts(BaseModel):
    """What a request took, or would take."""

    taken: int
    skipped: Annotated[
        dict[str, int],
        Field(description="Passed over: already_replayed, being_replayed, discarded, foreign_topic, no_such_letter"),
    ]
    left: Annotated[int, Field(description="More than one request takes: ask again")]


class ReplayReport(BaseModel):
    """A replay and what has become of it. Nothing is left unsaid: the four numbers add up to `counts.taken`."""

    nonce: str | None
    dry_run: bool
    repeated: Annotated[bool, Field(description="This very request had come before; nothing was begun again")]
    counts: Counts
    waiting: Annotated[int, Field(description="Not sent yet")]
    sent: Annotated[int, Field(description="On their way through Kafka")]
    replayed: int
    failed_again: int
    failures: Annotated[dict[str, int], Field(description="Why they failed again")]


class DiscardReport(BaseModel):
    """What a discard did, or would do."""

    dry_run: bool
    counts: Counts


def dead_letters_router(engine: AsyncEngine) -> APIRouter:
    """Return the routes that read dead letters."""
    router = APIRouter(prefix="/api/v1/dead-letters", tags=["dead letters"])

    @router.get("", summary="Show dead letters by cause", responses=errors(422, 503))
    async def show_dead_letters(query: Annotated[DeadLettersQuery, Query()]) -> DeadLetterGroups:
        async with reading(engine) as connection:
            found = await read_dead_letters.groups(connection, query.states, query.limit)
        return DeadLetterGroups(groups=[_group(row) for row in found])

    @router.get("/letters", summary="List dead letters, newest first", responses=errors(422, 503))
    async def list_dead_letters(query: Annotated[LettersQuery, Query()]) -> LetterList:
        wanted = Selection(
            fingerprint=query.fingerprint,
            topic=query.topic,
            reason_contains=query.reason_contains,
            since=query.since,
            until=query.until,
        )
        before = None if query.before is None else int(query.before)
        async with reading(engine) as connection:
            found = await read_dead_letters.letters(
                connection, wanted, query.states, before=before, limit=query.limit + 1
            )
        shown = [Letter(**_summary(row)) for row in found[: query.limit]]
        return LetterList(letters=shown, earlier=shown[-1].id if len(found) > query.limit else None)

    @router.get("/letters/{letter_id}", summary="Show one dead letter", responses=errors(404, 422, 503))
    async def show_dead_letter(letter_id: Annotated[RowId, Path()]) -> LetterDetail:
        async with reading(engine, one_snapshot=True) as connection:
            found = await read_dead_letters.letter(connection, int(letter_id))
        if found is None:
            raise ApiError(404, "not_found", "there is no such dead letter")
        return _detail(found)

    @router.get("/replays/{nonce}", summary="Show what became of a replay", responses=errors(404, 422, 503))
    async def show_replay(nonce: Annotated[str, Path(max_length=100)]) -> ReplayReport:
        async with reading(engine, one_snapshot=True) as connection:
            found = await dead_letter_replays.find_replay(connection, nonce)
        if found is None:
            raise ApiError(404, "not_found", "nobody asked for a replay with this nonce")
        return _report(found)

    return router


def dead_letter_actions_router(engine: AsyncEngine, topics: Sequence[str]) -> APIRouter:
    """Return the routes that change something: for operators. `topics`: those that letters can be sent to again."""
    router = APIRouter(prefix="/api/v1/dead-letters", tags=["dead letters"])

    @router.post(
        "/replays", summary="Send dead letters again, once per nonce", status_code=202, responses=errors(409, 422, 503)
    )
    async def replay_dead_letters(asked: ReplayRequest, actor: Caller) -> ReplayReport:
        """Answers 202 with what was taken and what was passed over; ask for the nonce to see what became of it."""
        wanted = asked.filter.selection()
        with telling_away():
            if asked.dry_run:
                return _dry(await service.preview(engine, wanted, topics, replay=True))
            begun = await service.replay(engine, actor, wanted, reason=asked.reason, nonce=asked.nonce, topics=topics)
        return _report(begun)

    @router.post("/discards", summary="Mark dead letters as not needed", responses=errors(422, 503))
    async def discard_dead_letters(asked: DiscardRequest, actor: Caller) -> DiscardReport:
        wanted = asked.filter.selection()
        with telling_away():
            if asked.dry_run:
                report = await service.preview(engine, wanted, (), replay=False)
            else:
                report = await service.discard(engine, actor, wanted, reason=asked.reason)
        return DiscardReport(dry_run=asked.dry_run, counts=_counts(report))

    return router


def _record(row: RowMapping) -> Record:
    return Record(topic=row["topic"], partition=row["partition"], offset=row["offset"])


def _group(row: RowMapping) -> DeadLetterGroup:
    shown = {**row, "reason": mask_text(row["reason"]), "last_letter": str(row["last_id"])}
    return DeadLetterGroup(**shown, last_record=_record(row))


def _summary(row: RowMapping) -> dict[str, Any]:
    key = None if row["key"] is None else mask_text(row["key"])
    return {**row, "id": str(row["id"]), "reason": mask_text(row["reason"]), "key": key, "record": _record(row)}


def _detail(found: read_dead_letters.LetterDetail) -> LetterDetail:
    row = found.letter
    shown = _summary(row) | {
        "headers": {name: mask_text(held) for name, held in row["headers"].items()},
        "value": decoded(row["headers"], bytes(row["value"])),
        "value_bytes": len(row["value"]),
        "stack": mask_text(row["detail"]),
    }
    return LetterDetail(**shown, replays=[LetterReplay(**replay) for replay in found.replays])


def _counts(report: Report) -> Counts:
    return Counts(taken=report.taken, skipped=report.skipped, left=report.left)


def _dry(report: Report) -> ReplayReport:
    return ReplayReport(
        nonce=None, dry_run=True, repeated=False, counts=_counts(report), waiting=0, sent=0, replayed=0,
        failed_again=0, failures={},
    )  # fmt: skip


def _report(replay: Replay) -> ReplayReport:
    return ReplayReport(
        nonce=replay.nonce,
        dry_run=False,
        repeated=replay.repeated,
        counts=_counts(replay.report),
        waiting=replay.waiting,
        sent=replay.sent,
        replayed=replay.replayed,
        failed_again=replay.failed_again,
        failures={mask_text(reason): letters for reason, letters in replay.reasons.items()},
    )
