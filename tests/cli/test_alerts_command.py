"""`ordersync alerts` shows what is open, and a person's word ends it once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from worker.cli.alerts import alerts
from worker.domain.alerts import Alert, AlertKind, Severity
from worker.storage import alert_store
from worker.storage.engine import create_engine, transaction

CAUSE = "dead_letters:0123456789abcdef"


@pytest.fixture
def configured(database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ORDERSYNC_DATABASE_URL", database)
    monkeypatch.setenv("ORDERSYNC_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setenv("ORDERSYNC_ACCOUNTS_FILE", str(tmp_path / "accounts.toml"))
    return database


def open_one(dsn: str) -> None:
    async def insert() -> None:
        engine = create_engine(dsn, application="test", pool_size=1)
        alert = Alert(CAUSE, AlertKind.DEAD_LETTERS, Severity.WARNING, "Messages are set aside [bold]: strange")
        async with transaction(engine) as connection:
            await alert_store.open_alerts(connection, [alert], {}, {CAUSE: 3})
        await engine.dispose()

    asyncio.run(insert())


def test_a_cause_that_is_not_open_cannot_be_resolved(configured: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert alerts("no_such_cause") == 1
    assert "no open alert has the cause no_such_cause" in capsys.readouterr().out


def test_a_database_that_is_away_is_said_with_what_to_do(
    configured: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ORDERSYNC_DATABASE_URL", "postgresql://nobody:hidden@127.0.0.1:1/none")
    assert alerts(None) == 1
    said = capsys.readouterr().out
    assert "ordersync doctor" in said
    assert "hidden" not in said


def test_what_is_open_is_listed_and_ends_once(configured: str, capsys: pytest.CaptureFixture[str]) -> None:
    open_one(configured)
    assert alerts(None) == 0
    listed = capsys.readouterr().out
    assert CAUSE in listed
    assert "x3" in listed
    assert "[bold]" in listed
    assert "1 open" in listed
    assert alerts(CAUSE) == 0
    assert alerts(CAUSE) == 1
    capsys.readouterr()
    assert alerts(None) == 0
    assert "0 open" in capsys.readouterr().out
