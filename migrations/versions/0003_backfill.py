"""How far a stream's past has been read, and where that ends."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns that the old version does not look at."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("cursors", sa.Column("target", sa.DateTime(timezone=True), nullable=True))
    op.add_column("cursors", sa.Column("rows", sa.BigInteger(), server_default=sa.text("0"), nullable=False))


def downgrade() -> None:
    """Drop them, and the positions that only the new version understands: it begins its backfills again."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("DELETE FROM cursors WHERE target IS NOT NULL")
    op.drop_column("cursors", "rows")
    op.drop_column("cursors", "target")
