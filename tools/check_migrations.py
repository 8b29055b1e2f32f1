"""Judges the migrations: each can be undone, gives up on locks, and its SQL would not stop the running workers.

The SQL is what `alembic upgrade --sql` renders (no database needed), read by squawk; .squawk.toml has its exceptions.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tools.report import ROOT, finish

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DIRECTIONS = ("upgrade", "downgrade")
SECTION = re.compile(r"^-- Running upgrade \S* *-> (?P<revision>\S+)$", re.MULTILINE)


def _statements(function: ast.FunctionDef) -> list[ast.stmt]:
    """The body without what does nothing: the docstring, `pass` and `...`."""
    return [
        statement
        for statement in function.body
        if not isinstance(statement, ast.Pass)
        and not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
    ]


def _sets_lock_timeout(statement: ast.stmt) -> bool:
    return any(
        isinstance(node, ast.Constant) and "lock_timeout" in str(node.value).lower() for node in ast.walk(statement)
    )


def source_problems(label: str, source: str) -> Iterator[str]:
    """Yields what is wrong with one revision as Python: both directions begin with a lock time-out and then work."""
    functions = {node.name: node for node in ast.parse(source, label).body if isinstance(node, ast.FunctionDef)}
    for direction in DIRECTIONS:
        if direction not in functions:
            yield f"{label}: no {direction}()"
            continue
        statements = _statements(functions[direction])
        line = functions[direction].lineno
        if statements and _sets_lock_timeout(statements[0]):
            statements = statements[1:]
        else:
            yield f"{label}:{line}: {direction}() must begin with op.execute(\"SET LOCAL lock_timeout = '5s'\")"
        if not statements or isinstance(statements[0], ast.Raise):
            yield f"{label}:{line}: {direction}() does nothing; a migration can be undone"


def sections(sql: str) -> dict[str, str]:
    """Cuts Alembic's output into the SQL of each revision, without what wraps the whole."""
    parts = SECTION.split(sql)
    found = dict(zip(parts[1::2], parts[2::2], strict=True))
    return {revision: re.sub(r"^(?:BEGIN|COMMIT);\n", "", text, flags=re.MULTILINE) for revision, text in found.items()}


def squawk_problems(scripts: Mapping[str, str]) -> Iterator[str]:
    """Yields squawk's findings, each with the SQL line it speaks of.

    Raises:
        RuntimeError: squawk itself failed.
    """
    squawk = str(Path(sys.executable).parent / "squawk")
    config = str(ROOT / ".squawk.toml")
    with tempfile.TemporaryDirectory() as folder:
        for revision, sql in scripts.items():
            (Path(folder) / f"{revision}.sql").write_text(sql, encoding="utf-8")
        done = subprocess.run(  # noqa: S603  the command is ours
            [squawk, "--config", config, "--reporter", "json", *(f"{revision}.sql" for revision in scripts)],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    try:
        findings = json.loads(done.stdout)
    except json.JSONDecodeError:
        raise RuntimeError(f"squawk failed (exit {done.returncode}): {done.stderr.strip()}") from None
    for finding in findings:
        revision = Path(finding["file"]).stem
        line = scripts[revision].splitlines()[finding["line"]].strip()
        yield f"revision {revision}: {finding['rule_name']}: {finding['message']} — in: {line}"


def render(*arguments: str) -> str:
    """Returns the SQL of an Alembic command; no database is asked.

    Raises:
        RuntimeError: Alembic failed, for instance since a migration reads from the database.
    """
    done = subprocess.run(  # noqa: S603  the command is ours
        [sys.executable, "-m", "alembic", *arguments, "--sql"],
        cwd=ROOT,
        env={**os.environ, "ORDERSYNC_DATABASE_URL": "postgresql://nobody@localhost/nothing"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = "\n".join(done.stderr.strip().splitlines()[-4:])  # the end of the traceback: the migration's own line
        raise RuntimeError(f"alembic {' '.join(arguments)} --sql failed:\n{reason}")
    return done.stdout


def main() -> int:
    """Checks this tree's migrations."""
    paths = sorted((ROOT / "migrations" / "versions").glob("*.py"))
    problems = [
        problem
        for path in paths
        for problem in source_problems(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8"))
    ]
    if not paths:
        problems.append("migrations/versions: no migration found")
    else:
        try:
            scripts = sections(render("upgrade", "head"))
            if len(scripts) != len(paths):
                problems.append(f"{len(paths)} files in migrations/versions, but {len(scripts)} revisions lead to head")
            problems += squawk_problems(scripts)
            render("downgrade", "head:base")
        except RuntimeError as error:
            problems.append(str(error))
    return finish("check-migrations", problems, f"{len(paths)} revision(s), each way back works on paper")


if __name__ == "__main__":
    sys.exit(main())
