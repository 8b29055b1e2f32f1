"""A batch's records, read: facts in order of arrival, repeated deliveries counted, the unreadable set aside."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, Protocol

import msgspec

from worker.broker.envelope import EnvelopeError, Unrecognised, read_fact, read_headers
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


class Delivered(msgspec.Struct, frozen=True):
    """A fact and the record that brought it."""

    fact_id: str
    fact: Fact
    record: Any


class DeadLetter(msgspec.Struct, frozen=True):
    """A record to be set aside. `by_us`: our code failed on it, so too many of them mean a bad deploy."""

    reason: str
    detail: str
    record: Any
    by_us: bool

    @property
    def fingerprint(self) -> str:
        """Return what groups dead letters of one cause: the reason without what varies (digits)."""
        stable = "".join("#" if char.isdigit() else char for char in self.reason)
        return hashlib.sha256(stable.encode()).hexdigest()[:_FINGERPRINT_CHARS]


class ReadBatch(msgspec.Struct):
    """The batch as read. `repeats`: further deliveries inside the batch, by fact id."""

    delivered: dict[str, Delivered] = {}
    repeats: dict[str, int] = {}
    dead: list[DeadLetter] = []


def read_batch(records: Iterable[Record]) -> ReadBatch:
    """Return the batch's facts and dead letters."""
    batch = ReadBatch()
    for record in records:
        try:
            found = read_fact(read_headers(record.headers), record.value)
        except EnvelopeError as error:
            batch.dead.append(DeadLetter("envelope", str(error)[:MAX_DETAIL_CHARS], record, by_us=True))
            continue
        if isinstance(found, Unrecognised):
            batch.dead.append(DeadLetter(f"not understood: {found.reason[:200]}", found.detail, record, by_us=False))
            continue
        fact_id, fact = found
        if fact_id in batch.delivered:
            batch.repeats[fact_id] = batch.repeats.get(fact_id, 0) + 1
        else:
            batch.delivered[fact_id] = Delivered(fact_id, fact, record)
    return batch
