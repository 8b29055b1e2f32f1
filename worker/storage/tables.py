"""The tables. Amounts are minor units (`*_minor`), instants are timestamptz; ids of marketplaces are text."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSON, JSONB, UUID

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_NOW = text("now()")


def _id() -> Column[int]:
    return Column("id", BigInteger, Identity(always=True), primary_key=True)


def _instant(name: str, *, now: bool = False, nullable: bool = True) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable and not now, server_default=_NOW if now else None)


def _count(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default=text("0"))


def _order_ref(*, nullable: bool = False, primary_key: bool = False) -> Column[int]:
    return Column("order_ref", BigInteger, ForeignKey("orders.id"), nullable=nullable, primary_key=primary_key)


orders = Table(
    "orders",
    metadata,
    _id(),
    Column("account", Text, nullable=False),
    Column("platform", Text, nullable=False),
    Column("order_id", Text, nullable=False),
    Column("status", Text, nullable=False, server_default="unknown"),
    Column("status_word", Text),
    Column("unconfirmed", Boolean, nullable=False, server_default=text("true")),
    Column("paid", Boolean, nullable=False, server_default=text("false")),
    Column("currency", Text),
    Column("total_minor", BigInteger),
    Column("shipping_minor", BigInteger),
    Column("products_minor", BigInteger),
    Column("discount_minor", BigInteger),
    Column("refunded_minor", BigInteger),
    Column("close_reason", Text),
    _instant("created_at"),
    _instant("paid_at"),
    _instant("shipped_at"),
    _instant("received_at"),
    _instant("completed_at"),
    _instant("modified_at"),
    _instant("asked_at"),
    Column("sequence", BigInteger, nullable=False, server_default=text("0")),
    # json, not jsonb: written and read whole on every batch, never searched
    Column("evidence", JSON, nullable=False, server_default="{}"),
    _instant("first_seen_at", now=True),
    _instant("updated_at", now=True),
    UniqueConstraint("account", "platform", "order_id"),
    Index("ix_orders_updated_at_id", "updated_at", "id"),
    Index("ix_orders_account_platform_status_updated_at", "account", "platform", "status", "updated_at"),
)

order_lines = Table(
    "order_lines",
    metadata,
    _order_ref(primary_key=True),
    Column("line_id", Text, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("product_id", Text),
    Column("sku_id", Text),
    Column("name", Text),
    Column("image_url", Text),
    Column("quantity", Text),
    Column("price_minor", BigInteger),
    Column("amount_minor", BigInteger),
    Column("status_word", Text),
    Column("logistics_status", Integer),
    Column("refund_id", Text),
    Column("refund_word", Text),
)

parcels = Table(
    "parcels",
    metadata,
    _order_ref(primary_key=True),
    Column("parcel_id", Text, primary_key=True),
    Column("waybill", Text),
    Column("carrier", Text),
    Column("status_word", Text),
    Column("line_ids", JSONB, nullable=False, server_default="[]"),
    _instant("shipped_at"),
    Index("ix_parcels_waybill", "waybill"),
)

refunds = Table(
    "refunds",
    metadata,
    _order_ref(primary_key=True),
    Column("refund_id", Text, primary_key=True),
    Column("status", Text, nullable=False),
    Column("status_word", Text),
    Column("amount_minor", BigInteger),
    Column("line_ids", JSONB, nullable=False, server_default="[]"),
    Column("confirmed", Boolean, nullable=False),
)

facts = Table(
    "facts",
    metadata,
    _id(),
    Column("fact_id", Text, nullable=False, unique=True),
    _order_ref(),
    Column("kind", Text, nullable=False),
    Column("source", Text, nullable=False),
    _instant("provider_time"),
    _instant("observed_at", nullable=False),
    _instant("recorded_at", now=True),
    Column("outcome", Text, nullable=False),
    Column("content", JSON, nullable=False),
    Column("topic", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("deliveries", Integer, nullable=False, server_default=text("1")),
    Index("ix_facts_order_ref_id", "order_ref", "id"),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    _id(),
    Column("fingerprint", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("key", Text),
    Column("headers", JSONB, nullable=False),
    Column("value", LargeBinary, nullable=False),
    _instant("created_at", now=True),
    UniqueConstraint("topic", "partition", "offset"),
    Index("ix_dead_letters_fingerprint_id", "fingerprint", "id"),
)

spool = Table(
    "spool",
    metadata,
    _id(),
    Column("topic", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("headers", JSONB, nullable=False),
    Column("value", LargeBinary, nullable=False),
    _instant("created_at", now=True),
)

follow_ups = Table(
    "follow_ups",
    metadata,
    _id(),
    _order_ref(),
    Column("account", Text, nullable=False),
    Column("effect", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="planned"),
    Column("reason", Text),
    Column("amount_minor", BigInteger),
    Column("pay_url", Text),
    # refresh: the read must be asked after this; the best read so far was asked at `asked_at`
    _instant("wanted_after"),
    _instant("asked_at"),
    # not claimed before this (backoff); an unknown is read again then
    _instant("due_at", now=True),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    Column("claim_token", UUID(as_uuid=False)),
    _instant("claimed_until"),
    _instant("created_at", now=True),
    _instant("updated_at", now=True),
    # calls begun so far
    _count("attempts"),
    # persons approved amounts up to this
    Column("approved_minor", BigInteger),
    Column("requested_by", Text),
    # of an unknown: since when, and the reads since that showed it not done
    _instant("unknown_since"),
    _count("not_done_reads"),
    _instant("not_done_at"),
    # what allowed another attempt after an unknown or a refusal
    Column("cleared", JSONB),
    _count("budget_refusals"),
    # the number that the marketplace gave a booking
    Column("reference", Text),
    # what the effect is about, frozen when it was wanted
    Column("detail", JSONB),
    # the worker whose lock in the database shows that it lives
    Column("claimed_by", Integer),
    UniqueConstraint("order_ref", "effect", "purpose"),
    Index("ix_follow_ups_due", "effect", "due_at", postgresql_where=text("state in ('planned', 'unknown')")),
    Index("ix_follow_ups_claimed_until", "claimed_until", postgresql_where=text("state = 'sending'")),
)

follow_up_attempts = Table(
    "follow_up_attempts",
    metadata,
    _id(),
    Column("follow_up_id", BigInteger, ForeignKey("follow_ups.id"), nullable=False),
    Column("claim_token", UUID(as_uuid=False), nullable=False, unique=True),
    Column("operation", Text, nullable=False),
    Column("amount_minor", BigInteger),
    Column("evidence", JSONB, nullable=False),
    _instant("sent_at", now=True),
    _instant("finished_at"),
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
    _instant("spent_at", now=True),
    _instant("released_at"),
    Index("ix_spendings_account_spent_at", "account", "spent_at"),
    Index("ix_spendings_follow_up_id", "follow_up_id"),
)

approvals = Table(
    "approvals",
    metadata,
    _id(),
    Column("follow_up_id", BigInteger, ForeignKey("follow_ups.id"), nullable=False),
    Column("decision", Text, nullable=False),
    Column("amount_minor", BigInteger),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    _instant("created_at", now=True),
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
    _id(),
    _instant("at", now=True),
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
    _id(),
    Column("account", Text),
    Column("effect", Text),
    Column("reason", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("automatic", Boolean, nullable=False, server_default=text("false")),
    _instant("created_at", now=True),
    _instant("lifted_at"),
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
    _instant("created_at", now=True),
    _instant("updated_at", now=True),
)

plan_versions = Table(
    "plan_versions",
    metadata,
    *_plan_key(),
    Column("version", Integer, primary_key=True),
    Column("content", JSONB, nullable=False),
    Column("requested_by", Text, nullable=False),
    _instant("created_at", now=True),
)

outbox = Table(
    "outbox",
    metadata,
    _id(),
    _order_ref(),
    Column("key", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("type", Text, nullable=False),
    Column("payload", JSON, nullable=False),
    _instant("created_at", now=True),
    _instant("published_at"),
    UniqueConstraint("order_ref", "sequence"),
    Index("ix_outbox_unpublished", "id", postgresql_where=text("published_at is null")),
)

alerts = Table(
    "alerts",
    metadata,
    _id(),
    Column("cause", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("severity", Text, nullable=False),
    _order_ref(nullable=True),
    Column("account", Text),
    Column("order_key", Text),
    Column("title", Text, nullable=False),
    Column("details", JSONB, nullable=False, server_default="{}"),
    Column("occurrences", Integer, nullable=False, server_default=text("1")),
    _instant("opened_at", now=True),
    _instant("last_seen_at", now=True),
    _instant("resolved_at"),
    Index("uq_alerts_open_cause", "cause", unique=True, postgresql_where=text("resolved_at is null")),
    Index("ix_alerts_order_ref", "order_ref", postgresql_where=text("resolved_at is null")),
)

alert_notices = Table(
    "alert_notices",
    metadata,
    _id(),
    Column("alert_id", BigInteger, ForeignKey("alerts.id"), nullable=False),
    Column("action", Text, nullable=False),
    _instant("created_at", now=True),
    _instant("published_at"),
    _instant("notified_at"),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    _instant("due_at", now=True),
    UniqueConstraint("alert_id", "action"),
    Index(
        "ix_alert_notices_pending",
        "id",
        postgresql_where=text("published_at is null or notified_at is null"),
    ),
)

rate_limits = Table(
    "rate_limits",
    metadata,
    Column("key", Text, primary_key=True),
    _instant("next_at", nullable=False),
    _instant("paused_until"),
    Column("pauses", Integer, nullable=False, server_default=text("0")),
)

cursors = Table(
    "cursors",
    metadata,
    Column("account", Text, primary_key=True),
    Column("stream", Text, primary_key=True),
    _instant("position", nullable=False),
    # of a backfill: where it ends, and the rows that it brought so far
    _instant("target"),
    Column("rows", BigInteger, nullable=False, server_default=text("0")),
    _instant("updated_at", now=True),
)
