"""What was cancelled unsent may be wanted again where it takes an approval: its plan changed its mind."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
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
        WHEN (OLD.state, NEW.state) {again} THEN
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
_BEFORE = "= ('cancelled', 'planned')"
_NOW = "IN (('cancelled', 'planned'), ('cancelled', 'awaiting_approval'))"


def upgrade() -> None:
    """Allow one step more than before; the old version never takes it."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(_GUARD_STATES.replace("{again}", _NOW))


def downgrade() -> None:
    """Allow it no longer."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(_GUARD_STATES.replace("{again}", _BEFORE))
