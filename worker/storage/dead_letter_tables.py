"""Records that were set aside, and what people asked for about them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, Table, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB

from worker.storage.columns import identity, instant, metadata

dead_letters = Table(
    "dead_letters",
    metadata,
    identity(),
    Column("fingerprint", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("key", Text),
    Column("headers", JSONB, nullable=False),
    Column("value", LargeBinary, nullable=False),
    instant("created_at", now=True),
    # open | replaying | resolved | discarded: `worker.domain.dead_letters.LetterState`
    Column("state", Text, nullable=False, server_default="open"),
    # the latest replay that was asked for, and how many of them failed again
    Column("replay_id", BigInteger),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    instant("failed_at"),
    instant("settled_at"),
    Column("settled_by", Text),
    Column("settled_reason", Text),
    UniqueConstraint("topic", "partition", "offset"),
    Index("ix_dead_letters_fingerprint_id", "fingerprint", "id"),
)

# One request of a person; the nonce makes the same request, sent twice, one request.
dead_letter_replays = Table(
    "dead_letter_replays",
    metadata,
    identity(),
    Column("nonce", Text, nullable=False, unique=True),
    Column("request", JSONB, nullable=False),
    Column("report", JSONB, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    instant("created_at", now=True),
)

dead_letter_replay_items = Table(
    "dead_letter_replay_items",
    metadata,
    Column("replay_id", BigInteger, ForeignKey("dead_letter_replays.id"), primary_key=True),
    Column("letter_id", BigInteger, ForeignKey("dead_letters.id"), primary_key=True),
    instant("sent_at"),
    # replayed | failed_again
    Column("outcome", Text),
    Column("reason", Text),
    instant("settled_at"),
    Index("ix_dead_letter_replay_items_unsent", "replay_id", "letter_id", postgresql_where=text("sent_at is null")),
    Index("ix_dead_letter_replay_items_letter_id", "letter_id"),
)
