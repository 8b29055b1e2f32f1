"""The first schema: order model, timeline, ledger, outbox, spool, alerts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Frozen here as it was when this schema was made; the domain's own table is compared with the trigger in the tests.
_GUARD_STATES = """
CREATE FUNCTION follow_ups_guard_state() RETURNS trigger LANGUAGE plpgsql AS $guard$
DECLARE
    allowed boolean;
BEGIN
    allowed := NEW.state = OLD.state OR CASE
        WHEN NEW.effect = 'refresh' THEN
            (OLD.state, NEW.state) IN (('planned', 'succeeded'), ('planned', 'rejected'),
                ('succeeded', 'planned'), ('rejected', 'planned'))
        ELSE (OLD.state, NEW.state) IN (
            ('planned', 'awaiting_approval'), ('planned', 'sending'), ('planned', 'cancelled'),
            ('awaiting_approval', 'planned'), ('awaiting_approval', 'cancelled'),
            ('sending', 'succeeded'), ('sending', 'unknown'), ('sending', 'awaiting_person'), ('sending', 'planned'),
            ('awaiting_person', 'succeeded'), ('awaiting_person', 'cancelled'),
            ('unknown', 'succeeded'), ('unknown', 'rejected'))
    END;
    IF allowed THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'follow-up % (%) cannot go from % to %', OLD.id, OLD.effect, OLD.state, NEW.state
        USING ERRCODE = 'check_violation';
END
$guard$
"""


def upgrade() -> None:
    """Create everything: there is no older version to keep running."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    _create_orders()
    _create_children()
    _create_queues()
    _create_timeline()
    _create_ledger()
    _create_alerts()


def downgrade() -> None:
    """Drop everything, children first."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in (
        "alert_notices", "alerts", "follow_up_attempts", "follow_ups", "cursors", "outbox", "spool", "dead_letters",
        "facts", "refunds", "parcels", "order_lines", "orders",
    ):  # fmt: skip
        op.drop_table(table)
    op.execute("DROP FUNCTION follow_ups_guard_state()")


def _create_orders() -> None:
    op.create_table(
        "orders",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default="unknown", nullable=False),
        sa.Column("status_word", sa.Text(), nullable=True),
        sa.Column("unconfirmed", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("paid", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("total_minor", sa.BigInteger(), nullable=True),
        sa.Column("shipping_minor", sa.BigInteger(), nullable=True),
        sa.Column("products_minor", sa.BigInteger(), nullable=True),
        sa.Column("discount_minor", sa.BigInteger(), nullable=True),
        sa.Column("refunded_minor", sa.BigInteger(), nullable=True),
        sa.Column("close_reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("shipped_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sequence", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("evidence", postgresql.JSON(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
        sa.UniqueConstraint("account", "platform", "order_id", name=op.f("uq_orders_account_platform_order_id")),
    )
    op.create_index(
        "ix_orders_account_platform_status_updated_at",
        "orders",
        ["account", "platform", "status", "updated_at"],
        unique=False,
    )
    op.create_index("ix_orders_updated_at_id", "orders", ["updated_at", "id"], unique=False)


def _create_children() -> None:
    op.create_table(
        "order_lines",
        sa.Column("order_ref", sa.BigInteger(), nullable=False),
        sa.Column("line_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("product_id", sa.Text(), nullable=True),
        sa.Column("sku_id", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("image_url", sa.Text(), nullable=True),
        sa.Column("quantity", sa.Text(), nullable=True),
        sa.Column("price_minor", sa.BigInteger(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=True),
        sa.Column("status_word", sa.Text(), nullable=True),
        sa.Column("logistics_status", sa.Integer(), nullable=True),
        sa.Column("refund_id", sa.Text(), nullable=True),
        sa.Column("refund_word", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["order_ref"], ["orders.id"], name=op.f("fk_order_lines_order_ref")),
        sa.PrimaryKeyConstraint("order_ref", "line_id", name=op.f("pk_order_lines")),
    )
    op.create_table(
        "parcels",
        sa.Column("order_ref", sa.BigInteger(), nullable=False),
        sa.Column("parcel_id", sa.Text(), nullable=False),
        sa.Column("waybill", sa.Text(), nullable=True),
        sa.Column("carrier", sa.Text(), nullable=True),
        sa.Column("status_word", sa.Text(), nullable=True),
        sa.Column("line_ids", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False),
        sa.Column("shipped_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["order_ref"], ["orders.id"], name=op.f("fk_parcels_order_ref")),
        sa.PrimaryKeyConstraint("order_ref", "parcel_id", name=op.f("pk_parcels")),
    )
    op.create_index("ix_parcels_waybill", "parcels", ["waybill"], unique=False)
    op.create_table(
        "refunds",
        sa.Column("order_ref", sa.BigInteger(), nullable=False),
        sa.Column("refund_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("status_word", sa.Text(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=True),
        sa.Column("line_ids", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False),
        sa.Column("confirmed", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["order_ref"], ["orders.id"], name=op.f("fk_refunds_order_ref")),
        sa.PrimaryKeyConstraint("order_ref", "refund_id", name=op.f("pk_refunds")),
    )


def _create_queues() -> None:
    op.create_table(
        "cursors",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("position", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("account", "stream", name=op.f("pk_cursors")),
    )
    op.create_table(
        "dead_letters",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dead_letters")),
        sa.UniqueConstraint("topic", "partition", "offset", name=op.f("uq_dead_letters_topic_partition_offset")),
    )
    op.create_index("ix_dead_letters_fingerprint_id", "dead_letters", ["fingerprint", "id"], unique=False)
    op.create_table(
        "spool",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_spool")),
    )


def _create_timeline() -> None:
    op.create_table(
        "facts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("fact_id", sa.Text(), nullable=False),
        sa.Column("order_ref", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("provider_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("observed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("content", postgresql.JSON(astext_type=sa.Text()), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("deliveries", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(["order_ref"], ["orders.id"], name=op.f("fk_facts_order_ref")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_facts")),
        sa.UniqueConstraint("fact_id", name=op.f("uq_facts_fact_id")),
    )
    op.create_index("ix_facts_order_ref_id", "facts", ["order_ref", "id"], unique=False)
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("order_ref", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("payload", postgresql.JSON(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["order_ref"], ["orders.id"], name=op.f("fk_outbox_order_ref")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("order_ref", "sequence", name=op.f("uq_outbox_order_ref_sequence")),
    )
    op.create_index(
        "ix_outbox_unpublished", "outbox", ["id"], unique=False, postgresql_where=sa.text("published_at is null")
    )


def _create_ledger() -> None:
    op.create_table(
        "follow_ups",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("order_ref", sa.BigInteger(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("effect", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="planned", nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=True),
        sa.Column("pay_url", sa.Text(), nullable=True),
        sa.Column("wanted_after", sa.DateTime(timezone=True), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("claim_token", sa.UUID(as_uuid=False), nullable=True),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["order_ref"], ["orders.id"], name=op.f("fk_follow_ups_order_ref")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_follow_ups")),
        sa.UniqueConstraint("order_ref", "effect", "purpose", name=op.f("uq_follow_ups_order_ref_effect_purpose")),
    )
    op.create_index(
        "ix_follow_ups_claimed_until",
        "follow_ups",
        ["claimed_until"],
        unique=False,
        postgresql_where=sa.text("state = 'sending'"),
    )
    op.create_index(
        "ix_follow_ups_due",
        "follow_ups",
        ["effect", "due_at"],
        unique=False,
        postgresql_where=sa.text("state in ('planned', 'unknown')"),
    )
    op.create_table(
        "follow_up_attempts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("follow_up_id", sa.BigInteger(), nullable=False),
        sa.Column("claim_token", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=True),
        sa.Column("evidence", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("answer", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.ForeignKeyConstraint(["follow_up_id"], ["follow_ups.id"], name=op.f("fk_follow_up_attempts_follow_up_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_follow_up_attempts")),
        sa.UniqueConstraint("claim_token", name=op.f("uq_follow_up_attempts_claim_token")),
    )
    op.create_index(
        "uq_follow_up_attempts_open",
        "follow_up_attempts",
        ["follow_up_id"],
        unique=True,
        postgresql_where=sa.text("finished_at is null"),
    )
    op.execute(_GUARD_STATES)
    op.execute(
        "CREATE TRIGGER follow_ups_guard_state BEFORE UPDATE OF state ON follow_ups "
        "FOR EACH ROW EXECUTE FUNCTION follow_ups_guard_state()"
    )


def _create_alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("order_ref", sa.BigInteger(), nullable=True),
        sa.Column("account", sa.Text(), nullable=True),
        sa.Column("order_key", sa.Text(), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("occurrences", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["order_ref"], ["orders.id"], name=op.f("fk_alerts_order_ref")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
    )
    op.create_index(
        "ix_alerts_order_ref", "alerts", ["order_ref"], unique=False, postgresql_where=sa.text("resolved_at is null")
    )
    op.create_index(
        "uq_alerts_open_cause", "alerts", ["cause"], unique=True, postgresql_where=sa.text("resolved_at is null")
    )
    op.create_table(
        "alert_notices",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("alert_id", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("notified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["alert_id"], ["alerts.id"], name=op.f("fk_alert_notices_alert_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert_notices")),
        sa.UniqueConstraint("alert_id", "action", name=op.f("uq_alert_notices_alert_id_action")),
    )
    op.create_index(
        "ix_alert_notices_pending",
        "alert_notices",
        ["id"],
        unique=False,
        postgresql_where=sa.text("published_at is null or notified_at is null"),
    )
