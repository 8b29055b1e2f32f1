"""The tables. Amounts are minor units (`*_minor`), instants are timestamptz; ids of marketplaces are text."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSON, JSONB

from worker.storage.columns import identity, instant, metadata, order_ref
from worker.storage.dead_letter_tables import dead_letter_replay_items, dead_letter_replays, dead_letters
from worker.storage.ledger_tables import (
    approvals,
    audit_log,
    follow_up_attempts,
    follow_ups,
    pauses,
    plan_versions,
    plans,
    spendings,
)

__all__ = [
    "approvals",
    "audit_log",
    "dead_letter_replay_items",
    "dead_letter_replays",
    "dead_letters",
    "follow_up_attempts",
    "follow_ups",
    "metadata",
    "pauses",
    "plan_versions",
    "plans",
    "spendings",
]

orders = Table(
    "orders",
    metadata,
    identity(),
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
    instant("created_at"),
    instant("paid_at"),
    instant("shipped_at"),
    instant("received_at"),
    instant("completed_at"),
    instant("modified_at"),
    instant("asked_at"),
    Column("sequence", BigInteger, nullable=False, server_default=text("0")),
    # json, not jsonb: written and read whole on every batch, never searched
    Column("evidence", JSON, nullable=False, server_default="{}"),
    # the numbers under which the order goes abroad
    Column("bookings", JSONB, nullable=False, server_default="[]"),
    instant("first_seen_at", now=True),
    instant("updated_at", now=True),
    UniqueConstraint("account", "platform", "order_id"),
    Index("ix_orders_updated_at_id", "updated_at", "id"),
    Index("ix_orders_account_platform_status_updated_at", "account", "platform", "status", "updated_at"),
)

order_lines = Table(
    "order_lines",
    metadata,
    order_ref(primary_key=True),
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
    order_ref(primary_key=True),
    Column("parcel_id", Text, primary_key=True),
    Column("waybill", Text),
    Column("carrier", Text),
    Column("status_word", Text),
    Column("line_ids", JSONB, nullable=False, server_default="[]"),
    instant("shipped_at"),
    Column("tracked", Text),
    instant("moved_at"),
    Column("signed", Boolean, nullable=False, server_default=text("false")),
    Index("ix_parcels_waybill", "waybill"),
)

refunds = Table(
    "refunds",
    metadata,
    order_ref(primary_key=True),
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
    identity(),
    Column("fact_id", Text, nullable=False, unique=True),
    order_ref(),
    Column("kind", Text, nullable=False),
    Column("source", Text, nullable=False),
    instant("provider_time"),
    instant("observed_at", nullable=False),
    instant("recorded_at", now=True),
    Column("outcome", Text, nullable=False),
    Column("content", JSON, nullable=False),
    Column("topic", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("deliveries", Integer, nullable=False, server_default=text("1")),
    Index("ix_facts_order_ref_id", "order_ref", "id"),
)

spool = Table(
    "spool",
    metadata,
    identity(),
    Column("topic", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("headers", JSONB, nullable=False),
    Column("value", LargeBinary, nullable=False),
    instant("created_at", now=True),
)

outbox = Table(
    "outbox",
    metadata,
    identity(),
    order_ref(),
    Column("key", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("type", Text, nullable=False),
    Column("payload", JSON, nullable=False),
    instant("created_at", now=True),
    instant("published_at"),
    UniqueConstraint("order_ref", "sequence"),
    Index("ix_outbox_unpublished", "id", postgresql_where=text("published_at is null")),
)

alerts = Table(
    "alerts",
    metadata,
    identity(),
    Column("cause", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("severity", Text, nullable=False),
    order_ref(nullable=True),
    Column("account", Text),
    Column("order_key", Text),
    Column("title", Text, nullable=False),
    Column("details", JSONB, nullable=False, server_default="{}"),
    Column("occurrences", Integer, nullable=False, server_default=text("1")),
    instant("opened_at", now=True),
    instant("last_seen_at", now=True),
    instant("resolved_at"),
    Index("uq_alerts_open_cause", "cause", unique=True, postgresql_where=text("resolved_at is null")),
    Index("ix_alerts_order_ref", "order_ref", postgresql_where=text("resolved_at is null")),
)

alert_notices = Table(
    "alert_notices",
    metadata,
    identity(),
    Column("alert_id", BigInteger, ForeignKey("alerts.id"), nullable=False),
    Column("action", Text, nullable=False),
    instant("created_at", now=True),
    instant("published_at"),
    instant("notified_at"),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    instant("due_at", now=True),
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
    instant("next_at", nullable=False),
    instant("paused_until"),
    Column("pauses", Integer, nullable=False, server_default=text("0")),
)

cursors = Table(
    "cursors",
    metadata,
    Column("account", Text, primary_key=True),
    Column("stream", Text, primary_key=True),
    instant("position", nullable=False),
    # of a backfill: where it ends, and the rows that it brought so far
    instant("target"),
    Column("rows", BigInteger, nullable=False, server_default=text("0")),
    instant("updated_at", now=True),
)
