"""What all tables share: their metadata and the columns that come again and again."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, DateTime, ForeignKey, Identity, Integer, MetaData, text

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_NOW = text("now()")


def identity() -> Column[int]:
    """Return the primary key: numbered by the database."""
    return Column("id", BigInteger, Identity(always=True), primary_key=True)


def instant(name: str, *, now: bool = False, nullable: bool = True) -> Column[object]:
    """Return a column of instants; `now`: the moment of the insert, never null."""
    return Column(name, DateTime(timezone=True), nullable=nullable and not now, server_default=_NOW if now else None)


def count(name: str) -> Column[int]:
    """Return a counter that starts at 0."""
    return Column(name, Integer, nullable=False, server_default=text("0"))


def order_ref(*, nullable: bool = False, primary_key: bool = False) -> Column[int]:
    """Return the reference to an order's row."""
    return Column("order_ref", BigInteger, ForeignKey("orders.id"), nullable=nullable, primary_key=primary_key)
