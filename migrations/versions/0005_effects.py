"""The whole effect ledger: approvals, budgets, plans, the kill switch, an audit log, second attempts with a reason."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# Frozen here as it was when this schema was made; the domain's own table is compared with the trigger in the tests.
_GUARD_STATES = """
CREATE OR REPLACE FUNCTION follow_ups_guard_state() RETURNS trigger LANGUAGE plpgsql AS $guard$
DECLARE
    allowed boolean;
BEGIN
    allowed := NEW.state = OLD.state OR CASE
        WHEN NEW.effect IN ('refresh', 'find_substitutes') OR NEW.effect LIKE 'read\\_%' THEN
            (OLD.state, NEW.state) IN (('planned', 'succeeded'), ('planned', 'rejected'),
                ('succeeded', 'planned'), ('rejected', 'planned'))
        WHEN (OLD.state, NEW.state) IN (('unknown', 'planned'), ('rejected', 'planned')) THEN
            NEW.cleared IS NOT NULL AND NEW.cleared IS DISTINCT FROM OLD.cleared
        WHEN (OLD.state, NEW.state) = ('cancelled', 'planned') THEN
            NEW.attempts = 0 OR NEW.cleared IS DISTINCT FROM OLD.cleared
        ELSE (OLD.state, NEW.state) IN (
            ('planned', 'awaiting_approval'), ('planned', 'sending'), ('planned', 'cancelled'), ('planned', 'rejected'),
            ('awaiting_approval', 'planned'), ('awaiting_approval', 'cancelled'), ('awaiting_approval', 'rejected'),
            ('sending', 'succeeded'), ('sending', 'unknown'), ('sending', 'awaiting_person'), ('sending', 'planned'),
            ('sending', 'rejected'),
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
_GUARD_STATES_BEFORE = """
CREATE OR REPLACE FUNCTION follow_ups_guard_state() RETURNS trigger LANGUAGE plpgsql AS $guard$
DECLARE
    allowed boolean;
BEGIN
    allowed := NEW.state = OLD.state OR CASE
        WHEN NEW.effect IN ('refresh', 'find_substitutes') THEN
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
_KEEP_AUDIT_LOG = """
CREATE FUNCTION audit_log_append_only() RETURNS trigger LANGUAGE plpgsql AS $keep$
BEGIN
    RAISE EXCEPTION 'the audit log is only ever appended to' USING ERRCODE = 'check_violation';
END
$keep$
"""
_NOW = sa.text("now()")
_FOLLOW_UP_COLUMNS = (
    "attempts", "approved_minor", "requested_by", "unknown_since", "not_done_reads", "not_done_at", "cleared",
    "budget_refusals", "reference", "detail", "claimed_by",
)  # fmt: skip
_ATTEMPT_COLUMNS = ("account", "effect", "request")
_TABLES = ("spendings", "approvals", "audit_log", "pauses", "plan_versions", "plans")


def upgrade() -> None:
    """Add columns and tables that the old version does not look at; the guard allows more steps than before."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    _extend_ledger()
    _create_decisions()
    _create_plans()
    op.execute(_GUARD_STATES)
    op.execute(_KEEP_AUDIT_LOG)
    op.execute(
        "CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_log_append_only()"
    )


def downgrade() -> None:
    """Forget what the older version does not know: other effects than payments, approvals, plans, the audit log."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table in _TABLES:
        op.drop_table(table)
    op.execute("DROP FUNCTION audit_log_append_only()")
    op.execute(
        "DELETE FROM follow_up_attempts a USING follow_ups f "
        "WHERE f.id = a.follow_up_id AND f.effect NOT IN ('refresh', 'pay', 'find_substitutes')"
    )
    op.execute("DELETE FROM follow_ups WHERE effect NOT IN ('refresh', 'pay', 'find_substitutes')")
    for column in _FOLLOW_UP_COLUMNS:
        op.drop_column("follow_ups", column)
    for column in _ATTEMPT_COLUMNS:
        op.drop_column("follow_up_attempts", column)
    op.execute(_GUARD_STATES_BEFORE)


def _instant(name: str, *, now: bool = False, nullable: bool = True) -> sa.Column[object]:
    default = _NOW if now else None
    return sa.Column(name, sa.DateTime(timezone=True), server_default=default, nullable=nullable and not now)


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False)


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), server_default=sa.text("0"), nullable=False)


def _extend_ledger() -> None:
    op.add_column("follow_ups", _count("attempts"))
    op.add_column("follow_ups", sa.Column("approved_minor", sa.BigInteger(), nullable=True))
    op.add_column("follow_ups", sa.Column("requested_by", sa.Text(), nullable=True))
    op.add_column("follow_ups", _instant("unknown_since"))
    op.add_column("follow_ups", _count("not_done_reads"))
    op.add_column("follow_ups", _instant("not_done_at"))
    op.add_column("follow_ups", sa.Column("cleared", postgresql.JSONB(), nullable=True))
    op.add_column("follow_ups", _count("budget_refusals"))
    op.add_column("follow_ups", sa.Column("reference", sa.Text(), nullable=True))
    op.add_column("follow_ups", sa.Column("detail", postgresql.JSONB(), nullable=True))
    op.add_column("follow_ups", sa.Column("claimed_by", sa.Integer(), nullable=True))
    op.add_column("follow_up_attempts", sa.Column("account", sa.Text(), nullable=True))
    op.add_column("follow_up_attempts", sa.Column("effect", sa.Text(), nullable=True))
    op.add_column("follow_up_attempts", sa.Column("request", postgresql.JSONB(), nullable=True))
    op.create_table(
        "spendings",
        sa.Column("claim_token", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("follow_up_id", sa.BigInteger(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        _instant("spent_at", now=True),
        _instant("released_at"),
        sa.ForeignKeyConstraint(["follow_up_id"], ["follow_ups.id"], name=op.f("fk_spendings_follow_up_id")),
        sa.PrimaryKeyConstraint("claim_token", name=op.f("pk_spendings")),
    )
    op.create_index("ix_spendings_account_spent_at", "spendings", ["account", "spent_at"])
    op.create_index("ix_spendings_follow_up_id", "spendings", ["follow_up_id"])


def _create_decisions() -> None:
    op.create_table(
        "approvals",
        _id(),
        sa.Column("follow_up_id", sa.BigInteger(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        _instant("created_at", now=True),
        sa.CheckConstraint("decision in ('approve', 'reject')", name=op.f("ck_approvals_decision")),
        sa.ForeignKeyConstraint(["follow_up_id"], ["follow_ups.id"], name=op.f("fk_approvals_follow_up_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approvals")),
    )
    op.create_index(
        "uq_approvals_once",
        "approvals",
        ["follow_up_id", "actor", "amount_minor"],
        unique=True,
        postgresql_where=sa.text("decision = 'approve'"),
    )
    op.create_table(
        "audit_log",
        _id(),
        _instant("at", now=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("details", postgresql.JSONB(), server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
    )
    op.create_index("ix_audit_log_subject_id", "audit_log", ["subject", "id"])
    op.create_table(
        "pauses",
        _id(),
        sa.Column("account", sa.Text(), nullable=True),
        sa.Column("effect", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("automatic", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        _instant("created_at", now=True),
        _instant("lifted_at"),
        sa.Column("lifted_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pauses")),
    )
    op.create_index(
        "uq_pauses_open",
        "pauses",
        [sa.text("coalesce(account, '')"), sa.text("coalesce(effect, '')")],
        unique=True,
        postgresql_where=sa.text("lifted_at is null"),
    )


def _plan_key() -> tuple[sa.Column[str], sa.Column[str], sa.Column[str]]:
    return (
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
    )


def _create_plans() -> None:
    op.create_table(
        "plans",
        *_plan_key(),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("planned_total_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.Text(), server_default="CNY", nullable=False),
        sa.Column("own_order_number", sa.Text(), nullable=True),
        sa.Column("auto_pay", sa.Boolean(), nullable=True),
        sa.Column("cancel_reason", sa.Text(), nullable=True),
        sa.Column("receiver", postgresql.JSONB(), nullable=True),
        sa.Column("freight", postgresql.JSONB(), nullable=True),
        sa.Column("requested_by", sa.Text(), nullable=False),
        _instant("created_at", now=True),
        _instant("updated_at", now=True),
        sa.PrimaryKeyConstraint("account", "platform", "order_id", name=op.f("pk_plans")),
    )
    op.create_table(
        "plan_versions",
        *_plan_key(),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("content", postgresql.JSONB(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        _instant("created_at", now=True),
        sa.PrimaryKeyConstraint("account", "platform", "order_id", "version", name=op.f("pk_plan_versions")),
    )
