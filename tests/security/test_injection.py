"""Texts of sellers reach SQL, logs and terminals as texts; addresses of theirs lead nowhere but to pictures."""

import io
import json
from typing import Any

import pytest
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.cli.conftest import Command, ordersync, place
from tests.reconcile.stage import Topic, make_reconciler, order
from tests.storage.database import connected, rows, value
from worker.domain.alerts import Alert, AlertKind, Severity
from worker.domain.clock import SECOND
from worker.domain.facts import Amounts, Fact, Lifecycle, Line, Parcel, Snapshot, Source, StatusSeen
from worker.logs import configure_logging
from worker.marketplaces.images import ImageFetcher
from worker.marketplaces.port import RejectedError
from worker.storage import alert_store
from worker.storage.engine import transaction

__all__ = ["ordersync", "place"]
NOW = 1_767_240_000_000
HOSTILE = (
    "'; DROP TABLE orders; --",
    '"); DELETE FROM facts; --',
    "\\'; SELECT pg_sleep(9); --",
    "%s %(x)s :name {0} ${jndi:ldap://x/a}",
    "\x1b]0;owned\x07\x1b[2J\x9b31m",
    "\u202egnp.exe\u200b",
    'line one\n{"event": "forged", "level": "info"}\r\n',
    "=cmd|' /C calc'!A0",
    "[bold red]markup[/bold red] [link=file:///etc/passwd]x[/link]",
)


async def test_hostile_texts_are_stored_as_they_are_and_break_nothing(engine: AsyncEngine) -> None:
    lines = tuple(Line(f"l{number}", name=text, product_id=text, sku_id=text) for number, text in enumerate(HOSTILE))
    parcels = tuple(Parcel(f"p{number}", waybill=text, carrier=text) for number, text in enumerate(HOSTILE))
    life = Lifecycle("waitsellersend", modified_at=NOW, close_reason=HOSTILE[0])
    snapshot = Snapshot(life, Amounts(1_000), lines, parcels)
    words = [Fact(order(1), Source.CALLBACK, StatusSeen(text), NOW + SECOND, NOW + SECOND) for text in HOSTILE]
    facts = [Fact(order(1), Source.RESPONSE, snapshot, NOW), *words]
    await make_reconciler(engine).handle(Topic().take(*facts))
    assert await value(engine, "SELECT count(*) FROM dead_letters") == 0
    assert [row["name"] for row in await rows(engine, "SELECT name FROM order_lines ORDER BY position")] == [*HOSTILE]
    assert {row["waybill"] for row in await rows(engine, "SELECT waybill FROM parcels")} == {*HOSTILE}
    assert await value(engine, "SELECT count(*) FROM facts") == len(facts)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_cannot_forge_a_line_of_the_log(text: str) -> None:
    stream = io.StringIO()
    configure_logging("info", stream)
    try:
        structlog.get_logger().warning("read failed", order=text, reason=text)
    finally:
        structlog.reset_defaults()
    (line,) = stream.getvalue().splitlines()
    assert json.loads(line)["reason"] == text
    assert "\x1b" not in line


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_alert_is_shown_and_not_obeyed(
    text: str, database: str, place: pytest.MonkeyPatch, ordersync: Command
) -> None:
    import asyncio

    async def insert() -> None:
        alert = Alert("strange_word:x", AlertKind.STRANGE_WORD, Severity.WARNING, f"Order carries {text}")
        async with connected(database) as engine, transaction(engine) as connection:
            await alert_store.open_alerts(connection, [alert], {}, {})

    asyncio.run(insert())
    place.setenv("ORDERSYNC_DATABASE_URL", database)
    said = ordersync("alerts")
    assert said.status == 0
    for forbidden in "\x1b\x07\x9b\u202e\u200b\r":
        assert forbidden not in said.out
    if "[" in text and text.isprintable():
        assert text in said.out


PRIVATE: dict[str, Any] = {
    "https://img.alicdn.com@127.0.0.1/x.jpg": [],
    "https://127.0.0.1/x.jpg": [],
    "https://2130706433/x.jpg": [],
    "https://0x7f000001/x.jpg": [],
    "https://017700000001/x.jpg": [],
    "https://127.1/x.jpg": [],
    "https://[::1]/x.jpg": [],
    "https://[::ffff:10.0.0.1]/x.jpg": [],
    "https://169.254.169.254/latest/meta-data": [],
    "https://img.alicdn.com.evil.example/x.jpg": [],
    "https://evil.example/img.alicdn.com/x.jpg": [],
    "https://img.alicdn.com:22/x.jpg": [],
    "ftp://img.alicdn.com/x.jpg": [],
    "file:///etc/passwd": [],
    "https://img.alicdn.com\\@evil.example/x.jpg": [],
    "https://img.alicdn.com/a.jpg": ["10.0.0.1"],
    "https://img.alicdn.com/b.jpg": ["127.0.0.1"],
    "https://img.alicdn.com/c.jpg": ["169.254.169.254"],
    "https://img.alicdn.com/d.jpg": ["8.8.8.8", "192.168.0.1"],
    "https://img.alicdn.com/e.jpg": ["::1"],
    "https://img.alicdn.com/f.jpg": ["fd00::1"],
    "https://img.alicdn.com/g.jpg": ["::ffff:127.0.0.1"],
    "https://img.alicdn.com/h.jpg": ["fe80::1"],
    "https://img.alicdn.com/i.jpg": ["100.64.0.1"],
    "https://img.alicdn.com/j.jpg": ["0.0.0.0"],  # noqa: S104 - an address that is refused
    "https://img.alicdn.com/k.jpg": ["64:ff9b::7f00:1"],
    "https://img.alicdn.com/l.jpg": ["2002:7f00:1::"],
}


@pytest.mark.parametrize("url", PRIVATE)
async def test_a_picture_cannot_lead_into_a_private_net(url: str) -> None:
    """By another host, another way of writing an address, or a known name that leads there. Nothing is connected."""

    async def resolve(host: str) -> list[str]:
        assert host == "img.alicdn.com", "only known hosts are looked up"
        return list(PRIVATE[url])

    fetcher = ImageFetcher(("alicdn.com",), resolve=resolve)
    try:
        with pytest.raises(RejectedError):
            await fetcher.fetch(url)
    finally:
        await fetcher.close()
