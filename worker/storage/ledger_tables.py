"""The effect ledger's tables, and what persons and other systems decide about it. Amounts are minor units."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID

from worker.storage.columns import count, identity, instant, metadata, order_ref

follow_ups = Table(
    "follow_ups",
    metadata,
    identity(),
    order_ref(),
    Column("account", Text, nullable=False),
    Column("effect", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="planned"),
    Column("reason", Text),
    Column("amount_minor", BigInteger),
    Column("pay_url", Text),
    # refresh: the read must be asked after this; the best read so far was asked at `asked_at`
    instant("wanted_after"),
    instant("asked_at"),
    # not claimed before this (backoff); an unknown is read again then
    instant("due_at", now=True),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    Column("claim_token", UUID(as_uuid=False)),
    instant("claimed_until"),
    instant("created_at", now=True),
    instant("updated_at", now=True),
    # calls begun so far
    count("attempts"),
    # persons approved amounts up to this
    Column("approved_minor", BigInteger),
    Column("requested_by", Text),
    # of an unknown: since when, and the reads since that showed it not done
    instant("unknown_since"),
    count("not_done_reads"),
    instant("not_done_at"),
    # what allowed another attempt after an unknown or a refusal
    Column("cleared", JSONB),
    count("budget_refusals"),
    # the number that the marketplace gave a booking
    Column("reference", Text),
    # the worker whose lock in the database shows that it lives
    Column("claimed_by", Integer),
    UniqueConstraint("order_ref", "effect", "purpose"),
    Index("ix_follow_ups_due", "effect", "due_at", postgresql_where=text("state in ('planned', 'unknown')")),
    Index("ix_follow_ups_claimed_until", "claimed_until", postgresql_where=text("state = 'sending'")),
)

follow_up_attempts = Table(
    "follow_up_attempts",
    metadata,
    identity(),
    Column("follow_up_id", BigInteger, ForeignKey("follow_ups.id"), nullable=False),
    Column("claim_token", UUID(as_uuid=False), nullable=False, unique=True),
    Column("operation", Text, nullable=False),
    Column("amount_minor", BigInteger),
    Column("evidence", JSONB, nullable=False),
    instant("sent_at", now=True),
    instant("finished_at"),
    Column("outcome", Text),
    Column("answer", JSONB),
    Column("account", Text),
    Column("effect", Text),
    Column("request", JSONB),
    # The attempt row is the lock: one open attempt per follow-up, whoever believes to hold it.
    Index(
        "uq_follow_up_attempts_open",
        "follow_up_id",
        unique=True,
        postgresql_where=text("finished_at is null"),
    ),
)

# One row per attempt that spends. It counts against the budget until it is known that nothing was spent.
spendings = Table(
    "spendings",
    metadata,
    Column("claim_token", UUID(as_uuid=False), primary_key=True),
    Column("follow_up_id", BigInteger, ForeignKey("follow_ups.id"), nullable=False),
    Column("account", Text, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    instant("spent_at", now=True),
    instant("released_at"),
    Index("ix_spendings_account_spent_at", "account", "spent_at"),
    Index("ix_spendings_follow_up_id", "follow_up_id"),
)

approvals = Table(
    "approvals",
    metadata,
    identity(),
    Column("follow_up_id", BigInteger, ForeignKey("follow_ups.id"), nullable=False),
    Column("decision", Text, nullable=False),
    Column("amount_minor", BigInteger),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    instant("created_at", now=True),
    CheckConstraint("decision in ('approve', 'reject')", name="ck_approvals_decision"),
    Index(
        "uq_approvals_once",
        "follow_up_id",
        "actor",
        "amount_minor",
        unique=True,
        postgresql_where=text("decision = 'approve'"),
    ),
)

# Only ever appended to: a trigger refuses everything else.
audit_log = Table(
    "audit_log",
    metadata,
    identity(),
    instant("at", now=True),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("details", JSONB, nullable=False, server_default="{}"),
    Index("ix_audit_log_subject_id", "subject", "id"),
)

# The kill switch: an open row stops the effects that it covers; null covers all.
pauses = Table(
    "pauses",
    metadata,
    identity(),
    Column("account", Text),
    Column("effect", Text),
    Column("reason", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("automatic", Boolean, nullable=False, server_default=text("false")),
    instant("created_at", now=True),
    instant("lifted_at"),
    Column("lifted_by", Text),
    Index(
        "uq_pauses_open",
        text("coalesce(account, '')"),
        text("coalesce(effect, '')"),
        unique=True,
        postgresql_where=text("lifted_at is null"),
    ),
)


def _plan_key() -> tuple[Column[str], Column[str], Column[str]]:
    return (
        Column("account", Text, primary_key=True),
        Column("platform", Text, primary_key=True),
        Column("order_id", Text, primary_key=True),
    )


# What other systems expect of an order, seen or not yet. `receiver` is personal data: never logged, never published.
plans = Table(
    "plans",
    metadata,
    *_plan_key(),
    Column("version", Integer, nullable=False),
    Column("planned_total_minor", BigInteger),
    Column("currency", Text, nullable=False, server_default="CNY"),
    Column("own_order_number", Text),
    Column("auto_pay", Boolean),
    Column("cancel_reason", Text),
    Column("receiver", JSONB),
    Column("freight", JSONB),
    Column("requested_by", Text, nullable=False),
    instant("created_at", now=True),
    instant("updated_at", now=True),
)

plan_versions = Table(
    "plan_versions",
    metadata,
    *_plan_key(),
    Column("version", Integer, primary_key=True),
    Column("content", JSONB, nullable=False),
    Column("requested_by", Text, nullable=False),
    instant("created_at", now=True),
)
