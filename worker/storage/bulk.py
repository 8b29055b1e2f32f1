"""Many rows in one statement: `unnest` over one array per column, so that the count of statements never grows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Table, TextClause, text
from sqlalchemy.dialects import postgresql

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]  # untyped in SQLAlchemy
_JSON_TYPES = frozenset({"JSON", "JSONB"})


def rows_source(table: Table, columns: Sequence[str]) -> str:
    """Return SQL that selects the parameter arrays as rows, named and typed like the table's columns.

    JSON travels as text: it is encoded already, and a second encoder would only get it wrong.
    """
    arrays, outputs = [], []
    for name in columns:
        kind = _type_of(table, name)
        arrays.append(f"CAST(:{name} AS {'text' if kind in _JSON_TYPES else kind}[])")
        quoted = f'"{name}"'
        outputs.append(f"CAST(t.{quoted} AS {kind}) AS {quoted}" if kind in _JSON_TYPES else f"t.{quoted}")
    names = _quoted(columns)
    return f"SELECT {', '.join(outputs)} FROM unnest({', '.join(arrays)}) AS t({names})"  # noqa: S608 - names are ours


def insert_rows(table: Table, columns: Sequence[str], *, tail: str = "") -> TextClause:
    """Return `INSERT INTO table (columns) SELECT … FROM unnest(…)` with `tail` (conflict clause, RETURNING) behind."""
    return text(f"INSERT INTO {table.name} ({_quoted(columns)}) {rows_source(table, columns)} {tail}")


def replace_children(table: Table, columns: Sequence[str], child_id: str) -> TextClause:
    """Return one statement that makes the children of `:refs` exactly the given rows (key: order_ref, `child_id`)."""
    updates = ", ".join(f'"{name}" = excluded."{name}"' for name in columns if name not in {"order_ref", child_id})
    return text(
        f"WITH fresh AS ({rows_source(table, columns)}), "  # noqa: S608 - names are ours
        f"gone AS (DELETE FROM {table.name} old WHERE old.order_ref = ANY(CAST(:refs AS bigint[])) AND NOT EXISTS "
        f'(SELECT 1 FROM fresh WHERE fresh.order_ref = old.order_ref AND fresh."{child_id}" = old."{child_id}")) '
        f"INSERT INTO {table.name} ({_quoted(columns)}) SELECT {_quoted(columns)} FROM fresh "
        f'ON CONFLICT (order_ref, "{child_id}") DO UPDATE SET {updates}'
    )


def as_params(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> dict[str, list[Any]]:
    """Return the parameter arrays of `rows`, each a sequence in the order of `columns`."""
    turned = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in columns]
    return dict(zip(columns, turned, strict=True))


def _type_of(table: Table, name: str) -> str:
    return str(table.c[name].type.compile(dialect=_DIALECT))


def _quoted(columns: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)
