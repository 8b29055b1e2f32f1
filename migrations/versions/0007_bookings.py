"""The numbers under which an order goes abroad, with the order itself."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column that the old version does not look at."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("orders", sa.Column("bookings", postgresql.JSONB(), server_default="[]", nullable=False))


def downgrade() -> None:
    """Drop it: the numbers stay in the evidence."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_column("orders", "bookings")
