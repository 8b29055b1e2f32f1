"""Dead letters that can be replayed and discarded, each with who asked for it and what came of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_LETTER_COLUMNS = ("state", "replay_id", "failures", "failed_at", "settled_at", "settled_by", "settled_reason")


def upgrade() -> None:
    """Add columns with defaults, and tables, that the old version does not look at: what it sets aside is open."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column("dead_letters", sa.Column("state", sa.Text(), server_default="open", nullable=False))
    op.add_column("dead_letters", sa.Column("replay_id", sa.BigInteger(), nullable=True))
    op.add_column("dead_letters", sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("dead_letters", _instant("failed_at"))
    op.add_column("dead_letters", _instant("settled_at"))
    op.add_column("dead_letters", sa.Column("settled_by", sa.Text(), nullable=True))
    op.add_column("dead_letters", sa.Column("settled_reason", sa.Text(), nullable=True))
    op.create_table(
        "dead_letter_replays",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("nonce", sa.Text(), nullable=False),
        sa.Column("request", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("report", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dead_letter_replays")),
        sa.UniqueConstraint("nonce", name=op.f("uq_dead_letter_replays_nonce")),
    )
    op.create_table(
        "dead_letter_replay_items",
        sa.Column("replay_id", sa.BigInteger(), nullable=False),
        sa.Column("letter_id", sa.BigInteger(), nullable=False),
        _instant("sent_at"),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        _instant("settled_at"),
        sa.ForeignKeyConstraint(
            ["replay_id"], ["dead_letter_replays.id"], name=op.f("fk_dead_letter_replay_items_replay_id")
        ),
        sa.ForeignKeyConstraint(["letter_id"], ["dead_letters.id"], name=op.f("fk_dead_letter_replay_items_letter_id")),
        sa.PrimaryKeyConstraint("replay_id", "letter_id", name=op.f("pk_dead_letter_replay_items")),
    )
    op.create_index(
        "ix_dead_letter_replay_items_unsent",
        "dead_letter_replay_items",
        ["replay_id", "letter_id"],
        postgresql_where=sa.text("sent_at is null"),
    )
    op.create_index("ix_dead_letter_replay_items_letter_id", "dead_letter_replay_items", ["letter_id"])


def downgrade() -> None:
    """Forget the replays. The letters stay; the older version shows all of them as they came."""
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("dead_letter_replay_items")
    op.drop_table("dead_letter_replays")
    for column in _LETTER_COLUMNS:
        op.drop_column("dead_letters", column)


def _instant(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=True)
