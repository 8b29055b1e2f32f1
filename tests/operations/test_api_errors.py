"""Every error has one shape, says what to do, and gives away nothing."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from sqlalchemy import make_url, text

from tests.operations.api_stage import NOWHERE, add_order, page, served, writing
from worker.operations.api.cursors import CursorError, read_cursor, write_cursor
from worker.storage.read_store import Cursor, OrderFilter, Position

ORDERS = "/api/v1/orders"
KEPT = [ORDERS, f"{ORDERS}/main/1688/1", "/api/v1/alerts", "/api/v1/dead-letters", "/metrics"]
ALL = OrderFilter()


@pytest.fixture(scope="module")
async def nowhere() -> AsyncIterator[httpx2.AsyncClient]:
    """The API without a database: what it answers here, it decided without asking one."""
    async with served(NOWHERE) as client:
        yield client


async def refused(
    client: httpx2.AsyncClient, path: str, expected: int, code: str, params: dict[str, Any] | None = None
) -> str:
    return message_of(await client.get(path, params=params or {}), expected, code)


def message_of(answer: httpx2.Response, status: int, code: str) -> str:
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message"}
    assert body["error"]["code"] == code
    message: str = body["error"]["message"]
    return message


@pytest.mark.parametrize("path", KEPT)
async def test_without_the_token_nothing_is_shown(path: str) -> None:
    async with served(NOWHERE, token="right") as client:
        for headers in ({}, {"authorization": "Bearer wrong"}):
            answer = await client.get(path, headers=headers)
            message_of(answer, 401, "unauthorized")
            assert answer.headers["www-authenticate"] == "Bearer"


async def test_who_is_not_let_in_does_not_even_learn_which_parameters_are_wrong() -> None:
    async with served(NOWHERE, token="right") as client:
        message_of(await client.get(ORDERS, params={"limit": "x"}), 401, "unauthorized")


@pytest.mark.parametrize("path", KEPT)
async def test_without_any_token_configured_other_machines_and_proxies_are_refused(
    nowhere: httpx2.AsyncClient, path: str
) -> None:
    async with served(NOWHERE, peer="203.0.113.9") as client:
        assert "ORDERSYNC_API_TOKEN" in message_of(await client.get(path), 403, "forbidden")
    answer = await nowhere.get(path, headers={"x-forwarded-for": "127.0.0.1"})
    assert "ORDERSYNC_API_TOKEN" in message_of(answer, 403, "forbidden")


async def test_the_token_opens(database: str) -> None:
    async with served(database, token="right", peer="203.0.113.9") as client:
        answer = await client.get(ORDERS, headers={"authorization": "Bearer right"})
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({"limit": 201}, "limit"),
        ({"limit": 0}, "limit"),
        ({"limit": -1}, "limit"),
        ({"limit": "9" * 400}, "limit"),
        ({"limit": "ten"}, "limit"),
        ({"platform": "jd"}, "platform: Input should be '1688' or 'taobao'"),
        ({"platform": "1688' OR '1'='1"}, "platform"),
        ({"status": "shiped"}, "status"),
        ({"account": "main' OR 1=1 --"}, "account"),
        ({"account": "main\x00"}, "account"),
        ({"account": "a" * 41}, "account"),
        ({"updated_since": "yesterday"}, "updated_since"),
        ({"updated_since": "2026-01-01T00:00:00"}, "updated_since"),
        ({"cursor": "A" * 501}, "cursor"),
        ({"acount": "main"}, "acount"),
    ],
)
async def test_a_wrong_parameter_is_named(nowhere: httpx2.AsyncClient, params: dict[str, Any], named: str) -> None:
    assert named in await refused(nowhere, ORDERS, 422, "invalid_request", params)


@pytest.mark.parametrize("before", ["", "-1", "x", "1e3", "\u0663", "9223372036854775808", "1; DROP TABLE facts"])
async def test_a_stretch_of_facts_begins_at_what_an_earlier_answer_gave(
    nowhere: httpx2.AsyncClient, before: str
) -> None:
    message = await refused(nowhere, f"{ORDERS}/main/1688/1", 422, "invalid_request", {"timeline_before": before})
    assert "timeline_before" in message


def encoded(content: str) -> str:
    return base64.urlsafe_b64encode(content.encode()).rstrip(b"=").decode()


GOOD = write_cursor(Cursor(Position(5, 7), Position(4, 2)), ALL)


def test_a_cursor_says_the_same_on_its_way_back() -> None:
    assert read_cursor(GOOD, ALL) == Cursor(Position(5, 7), Position(4, 2))
    assert "=" not in GOOD


@pytest.mark.parametrize(
    "given",
    [
        "",
        "x",
        "null",
        "é",
        "\ud800",
        GOOD[:-3],
        GOOD + "AAAA",
        GOOD.swapcase(),
        encoded("{}"),
        encoded("[]"),
        encoded("null"),
        encoded('[1,"x"]'),
        encoded('[1,"x",[1,2],null,3]'),
        encoded('[1,"x",[-1,2],null]'),
        encoded('[1,"x",[1,9223372036854775808],null]'),
        encoded('[1,"x",[253402300800000000,1],null]'),
        encoded('[1,"x",["2026-01-01",1],null]'),
        encoded('[1,"x",[1.5,1],null]'),
        encoded("[" * 400),
    ],
)
def test_a_cursor_that_was_tampered_with_is_refused(given: str) -> None:
    with pytest.raises(CursorError, match="no cursor of ours"):
        read_cursor(given, ALL)


def test_a_cursor_of_another_version_is_refused() -> None:
    with pytest.raises(CursorError, match="another version"):
        read_cursor(encoded('[2,"x",[1,2],null]'), ALL)


def test_a_cursor_serves_only_the_filters_it_was_made_for() -> None:
    with pytest.raises(CursorError, match="other filters"):
        read_cursor(GOOD, OrderFilter(account="main"))


@pytest.mark.parametrize("cursor", ["tampered", encoded('[1,"0",[1,2],null]'), ""])
async def test_a_bad_cursor_is_a_clear_400(nowhere: httpx2.AsyncClient, cursor: str) -> None:
    assert "cursor" in await refused(nowhere, ORDERS, 400, "bad_cursor", {"cursor": cursor})


async def test_an_unknown_order_is_404(database: str) -> None:
    async with writing(database) as connection:
        await add_order(connection, "1")
    async with served(database) as client:
        for key in ("main/1688/2", "main/taobao/1", "other/1688/1"):
            await refused(client, f"{ORDERS}/{key}", 404, "not_found")


@pytest.mark.parametrize("key", ["main/1688/1%27%20OR%20%271%27=%271", "ma%00in/1688/1", "main/1688/1%00", "M/1688/1"])
async def test_what_cannot_be_an_order_is_404_without_asking_the_database(
    nowhere: httpx2.AsyncClient, key: str
) -> None:
    await refused(nowhere, f"{ORDERS}/{key}", 404, "not_found")


async def test_a_platform_outside_the_enum_is_named(nowhere: httpx2.AsyncClient) -> None:
    assert "platform" in await refused(nowhere, f"{ORDERS}/main/jd/1", 422, "invalid_request")


@pytest.mark.parametrize("path", ["/", "/api/v2/orders", "/api/v1/orders/", "/docs", "/redoc", "/livez/"])
async def test_an_address_that_is_none_is_404_in_the_same_shape(nowhere: httpx2.AsyncClient, path: str) -> None:
    await refused(nowhere, path, 404, "not_found")


async def test_nothing_can_be_written_here(nowhere: httpx2.AsyncClient) -> None:
    answer = await nowhere.post(ORDERS, json={"status": "completed"})
    message_of(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "GET"


@pytest.mark.parametrize("path", [path for path in KEPT if path != "/metrics"])
async def test_a_database_that_is_away_is_503_and_says_when_to_come_again(
    nowhere: httpx2.AsyncClient, path: str
) -> None:
    answer = await nowhere.get(path)
    message = message_of(answer, 503, "database_unavailable")
    assert answer.headers["retry-after"] == "5"
    assert "127.0.0.1" not in message


async def test_a_database_that_does_not_exist_or_refuses_us_is_503(database: str) -> None:
    stranger = make_url(database).set(password="guess").render_as_string(hide_password=False)
    for dsn in (database + "x", stranger):
        async with served(dsn) as client:
            await refused(client, ORDERS, 503, "database_unavailable")


async def test_a_database_that_does_not_answer_in_time_is_503(database: str) -> None:
    async with writing(database) as connection:
        await connection.execute(text("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE"))
        async with served(database, statement_timeout_ms=50) as client:
            await refused(client, ORDERS, 503, "database_unavailable")
        async with served(database, lock_timeout_ms=50) as client:
            await refused(client, ORDERS, 503, "database_unavailable")


async def test_a_database_that_comes_back_is_used_again(database: str) -> None:
    async with served(database) as client:
        await page(client)
        async with writing(database) as connection:
            await connection.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ordersync-api'")
            )
        await page(client)


async def test_a_fault_of_ours_is_500_in_the_same_shape_and_shows_nothing_of_it(database: str) -> None:
    async with writing(database) as connection:
        await connection.execute(text("ALTER TABLE orders DROP COLUMN close_reason"))
    async with served(database) as client:
        assert "close_reason" not in await refused(client, ORDERS, 500, "internal")
