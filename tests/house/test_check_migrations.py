"""A migration can be undone, gives up on locks, and holds no statement that stops the running workers."""

from __future__ import annotations

import pytest

from tools.check_migrations import sections, source_problems, squawk_problems

LOCK = "op.execute(\"SET LOCAL lock_timeout = '5s'\")"
GOOD = f"""
def upgrade() -> None:
    '''Why.'''
    {LOCK}
    op.create_table('a')

def downgrade() -> None:
    {LOCK}
    op.drop_table('a')
"""


def problems(source: str) -> list[str]:
    return list(source_problems("0002_x.py", source))


def test_a_missing_way_back_is_refused() -> None:
    assert problems(GOOD.partition("def downgrade")[0]) == ["0002_x.py: no downgrade()"]


@pytest.mark.parametrize("body", ["pass", "'''Cannot be undone.'''", "...", "raise NotImplementedError", LOCK])
def test_a_way_back_that_does_nothing_is_refused(body: str) -> None:
    source = GOOD.partition("def downgrade")[0] + f"def downgrade() -> None:\n    {body}\n"
    assert "0002_x.py:7: downgrade() does nothing; a migration can be undone" in problems(source)


def test_a_direction_that_would_wait_for_locks_is_refused() -> None:
    without = GOOD.replace(LOCK, "op.execute('SELECT 1')", 1)
    assert problems(without) == ["0002_x.py:2: upgrade() must begin with op.execute(\"SET LOCAL lock_timeout = '5s'\")"]


def test_a_lock_time_out_behind_the_work_is_too_late() -> None:
    late = GOOD.replace(f"    {LOCK}\n    op.create_table('a')", f"    op.create_table('a')\n    {LOCK}")
    assert len(problems(late)) == 1


def test_a_complete_migration_passes() -> None:
    assert problems(GOOD) == []


def test_sql_that_blocks_writers_is_found_and_quoted() -> None:
    sql = "SET LOCAL lock_timeout = '5s';\nCREATE INDEX by_age ON orders (seen_at);\n"
    (problem,) = squawk_problems({"0002": sql})
    assert problem.startswith("revision 0002: require-concurrent-index-creation: ")
    assert problem.endswith("in: CREATE INDEX by_age ON orders (seen_at);")


def test_sql_that_does_not_parse_is_found() -> None:
    assert any("syntax-error" in problem for problem in squawk_problems({"0002": "CREATE TABEL a (b text);\n"}))


def test_a_new_table_with_its_index_is_no_danger() -> None:
    sql = "SET LOCAL lock_timeout = '5s';\nCREATE TABLE a (b text);\nCREATE INDEX by_b ON a (b);\n"
    assert list(squawk_problems({"0001": sql})) == []


def test_each_revision_gets_its_own_sql() -> None:
    rendered = (
        "BEGIN;\n\nCREATE TABLE alembic_version ();\n\n-- Running upgrade  -> 0001\n\nCREATE TABLE a ();\n\n"
        "-- Running upgrade 0001 -> 0002\n\nDROP TABLE a;\n\nCOMMIT;\n"
    )
    assert {revision: sql.strip() for revision, sql in sections(rendered).items()} == {
        "0001": "CREATE TABLE a ();",
        "0002": "DROP TABLE a;",
    }
