"""A batch's records, read: facts in order of arrival, repeated deliveries counted, the unreadable set aside."""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import msgspec

from worker.broker.envelope import EnvelopeError, Unrecognised, read_fact, read_headers, read_ticket
from worker.domain.dead_letters import Ticket
from worker.domain.facts import Fact

MAX_DETAIL_CHARS = 4_000
_FINGERPRINT_CHARS = 16


class Record(Protocol):
    """What we use of a Kafka record."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None

    @property
    def headers(self) -> Iterable[tuple[str, bytes | None]]:
        """Return names and values; a value can be missing."""
        ...


Reread = Callable[[Unrecognised], Iterable[Fact]]
"""Reads a message anew with what is known today. Raises whatever the parser raises if it is still not understood."""


class Delivered(msgspec.Struct, frozen=True):
    """A fact and the record that brought it. `fresh`: not by the replay of a dead letter."""

    fact_id: str
    fact: Fact
    record: Any
    fresh: bool = True


class DeadLetter(msgspec.Struct, frozen=True):
    """A record to be set aside. `by_us`: our code failed on it, so too many of them mean a bad deploy."""

    reason: str
    detail: str
    record: Any
    by_us: bool

    @property
    def ticket(self) -> Ticket | None:
        """Return whose replay failed again, None for a record that failed for the first time."""
        return read_ticket(read_headers(self.record.headers))

    @property
    def fingerprint(self) -> str:
        """Return what groups dead letters of one cause: the reason without what varies (digits)."""
        stable = "".join("#" if char.isdigit() else char for char in self.reason)
        return hashlib.sha256(stable.encode()).hexdigest()[:_FINGERPRINT_CHARS]


class ReadBatch(msgspec.Struct):
    """The batch as read. `repeats`: further deliveries inside the batch, by fact id; `replays`: what it replays."""

    delivered: dict[str, Delivered] = {}
    repeats: dict[str, int] = {}
    dead: list[DeadLetter] = []
    replays: list[Ticket] = []


def read_batch(records: Iterable[Record], reread: Reread | None = None) -> ReadBatch:
    """Return the batch's facts and dead letters. A replayed message that was not understood is read by `reread`."""
    batch = ReadBatch()
    for record in records:
        headers = read_headers(record.headers)
        ticket = read_ticket(headers)
        if ticket is not None:
            batch.replays.append(ticket)
        try:
            found = read_fact(headers, record.value)
        except EnvelopeError as error:
            batch.dead.append(DeadLetter("envelope", str(error)[:MAX_DETAIL_CHARS], record, by_us=True))
            continue
        if not isinstance(found, Unrecognised):
            _deliver(batch, *found, record, fresh=ticket is None)
        elif ticket is None or reread is None:
            batch.dead.append(_not_understood(found, record))
        else:
            _read_anew(batch, found, record, reread)
    return batch


def _read_anew(batch: ReadBatch, message: Unrecognised, record: Any, reread: Reread) -> None:
    """Deliver what a message says by today's knowledge. Its facts get the ids that they would have had at first."""
    try:
        facts = [(fact.derive_id(), fact) for fact in reread(message)]
    except Exception:  # noqa: BLE001 - whatever it failed with, it is set aside as before
        detail = traceback.format_exc()[-MAX_DETAIL_CHARS:]
        batch.dead.append(_not_understood(msgspec.structs.replace(message, detail=detail), record))
        return
    for fact_id, fact in facts:
        _deliver(batch, fact_id, fact, record, fresh=False)


def _not_understood(message: Unrecognised, record: Any) -> DeadLetter:
    return DeadLetter(f"not understood: {message.reason[:200]}", message.detail, record, by_us=False)


def _deliver(batch: ReadBatch, fact_id: str, fact: Fact, record: Any, *, fresh: bool) -> None:
    if fact_id in batch.delivered:
        batch.repeats[fact_id] = batch.repeats.get(fact_id, 0) + 1
    else:
        batch.delivered[fact_id] = Delivered(fact_id, fact, record, fresh)
