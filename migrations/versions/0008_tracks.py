"""Where each parcel is, as reads of the logistics tell."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns that the old version does not look at."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("parcels", sa.Column("tracked", sa.Text(), nullable=True))
    op.add_column("parcels", sa.Column("moved_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("parcels", sa.Column("signed", sa.Boolean(), server_default=sa.text("false"), nullable=False))


def downgrade() -> None:
    """Drop them: what they say stays in the evidence."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    for column in ("tracked", "moved_at", "signed"):
        op.drop_column("parcels", column)
