"""Searches for substitutes take the steps of a read, not those of a payment."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_GUARD_STATES = """
CREATE OR REPLACE FUNCTION follow_ups_guard_state() RETURNS trigger LANGUAGE plpgsql AS $guard$
DECLARE
    allowed boolean;
BEGIN
    allowed := NEW.state = OLD.state OR CASE
        WHEN NEW.effect IN ({reads}) THEN
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
    """Replace the guard; for what the old version writes it stays the same."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(_GUARD_STATES.format(reads="'refresh', 'find_substitutes'"))


def downgrade() -> None:
    """Forget the searches, which the older version does not know, and guard as before."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("DELETE FROM follow_ups WHERE effect = 'find_substitutes'")
    op.execute(_GUARD_STATES.format(reads="'refresh'"))
