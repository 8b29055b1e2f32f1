"""What is written down about a call: every exchange once, within its bounds, and never at the call's expense."""

import json
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.marketplaces.open_platform import APP_KEY, APP_SECRET, REFRESH_TOKEN, open_platform
from tests.marketplaces.recordings import Replay, read_recordings
from tests.marketplaces.servers import ACCESS_KEY, SECRET, USER_ID, Answer, FixedClock, Scripted, envelope
from tests.waiting import until
from worker.accounts import Account
from worker.composition.recorders import build_recorder
from worker.domain.clock import SystemClock
from worker.domain.facts import Source
from worker.domain.identity import Platform
from worker.marketplaces.build import Network, build_marketplace
from worker.marketplaces.limits import NoLimit
from worker.marketplaces.port import Marketplace, MarketplaceError, RejectedError, Stream
from worker.marketplaces.recording import Exchange, FileRecorder, Limits, line_of, recordings_of
from worker.sandbox import SandboxConfig, SandboxServer
from worker.sandbox.port import Port

SECRETS = {"SECRET": SECRET, "TOKEN": "t" * 32}


def account(url: str, secrets: dict[str, str] = SECRETS, **more: Any) -> Account:
    made = Account.model_validate(
        {
            "name": "main",
            "dialect": "pandapon",
            "base_url": url,
            "access_key": ACCESS_KEY,
            "access_secret_env": "SECRET",
            "user_id": USER_ID,
            "callback_token_env": "TOKEN",
            "record_exchanges": True,
        }
        | more
    )
    assert list(made.resolve_secrets(secrets)) == []
    return made


def recorder(directory: Path, limits: Limits | None = None, now: int = 1_790_000_000_000) -> FileRecorder:
    return FileRecorder("main", directory, FixedClock(now), [SECRET], limits or Limits())


class Wanted:
    """The settings that a recorder needs."""

    def __init__(self, directory: Path) -> None:
        self.record_directory = directory
        self.record_exchange_bytes, self.record_file_bytes, self.record_files = 1_000_000, 1_000_000, 3


@asynccontextmanager
async def recording(given: Account | str, directory: Path) -> AsyncIterator[Marketplace]:
    """A client whose exchanges are recorded."""
    one = account(given) if isinstance(given, str) else given
    writer = build_recorder(one, Wanted(directory), SystemClock())
    assert writer is not None
    made = build_marketplace(one, SystemClock(), 5.0, NoLimit(), Network(recorder=writer))
    try:
        yield made
    finally:
        await made.close()


def exchange(answer: bytes = b'{"code":200}', **changes: Any) -> Exchange:
    given: dict[str, Any] = {"operation": None, "effect": False, "method": "GET", "path": "/a", "headers": {}}
    given |= {"params": {}, "content": None, "asked_at": 1, "took_ms": 2, "status": 200, "answer": answer}
    return Exchange(**(given | changes))


async def test_a_call_is_one_line_with_what_was_asked_and_what_came_back(scripted: Scripted, tmp_path: Path) -> None:
    scripted.says(
        envelope({"baseInfo": {"idOfStr": "3300000000000000001", "receiverInfo": {"toMobile": "13800000000"}}})
    )
    async with recording(scripted.url, tmp_path) as api:
        with pytest.raises(MarketplaceError):
            await api.read_order(Platform.ALIBABA_1688, "3300000000000000001", Source.RESPONSE)
    (line,) = read_recordings(*recordings_of("main", tmp_path))
    assert (line["account"], line["operation"], line["effect"]) == ("main", "1688.order.detail", False)
    assert line["request"]["path"] == "/alibaba/order/detail"
    assert line["request"]["body"] == {"json": {"webSite": "1688", "orderId": "3300000000000000001"}}
    assert line["request"]["headers"]["user-id"] == USER_ID
    assert {line["request"]["headers"][name] for name in ("access-key", "nonce-str", "signature")} == {"(left out)"}
    assert line["answer"]["status"] == 200
    order = {"idOfStr": "3300000000000000001", "receiverInfo": "(left out)"}
    assert line["answer"]["body"]["json"]["data"]["baseInfo"] == order
    assert line["error"] is None
    assert "13800000000" not in json.dumps(line)


async def test_refusals_gateway_pages_and_silence_are_recorded_too(scripted: Scripted, tmp_path: Path) -> None:
    scripted.says(Answer(502, b"<html>13800000000</html>", (("content-type", "text/html"), ("set-cookie", "id=1"))))
    async with recording(scripted.url, tmp_path) as api:
        with pytest.raises(MarketplaceError):
            await api.read_order(Platform.ALIBABA_1688, "1", Source.RESPONSE)
    async with recording("http://127.0.0.1:9", tmp_path) as api:
        with pytest.raises(MarketplaceError):
            await api.read_order(Platform.ALIBABA_1688, "1", Source.RESPONSE)
    lines = read_recordings(*recordings_of("main", tmp_path))
    assert len(lines) == 6, "every try is an exchange"
    page, silence = lines[0], lines[-1]
    assert page["answer"]["status"] == 502
    assert set(page["answer"]["headers"]) == {"content-type", "date"}, "no cookie"
    assert page["answer"]["body"] == {"left_out": "not JSON", "bytes": 24}
    assert page["error"] == "RetryableError: HTTP 502"
    assert silence["answer"] is None
    assert silence["error"].startswith("NotSentError: no connection")


def test_a_body_beyond_the_limit_is_told_by_its_size() -> None:
    one = exchange(b'{"a":"' + b"x" * 2_000 + b'"}', content=b"a=" + b"y" * 2_000)
    line = json.loads(line_of("main", one, [], 1_024))
    assert line["answer"]["body"] == {"left_out": "larger than the limit", "bytes": 2_008}
    assert line["request"]["body"]["left_out"] == "larger than the limit"


def test_files_are_bounded_in_size_and_number_and_for_nobody_elses_eyes(tmp_path: Path) -> None:
    directory = tmp_path / "deep" / "recordings"
    size = len(line_of("main", exchange(), [], 1_000))
    writer = recorder(directory, Limits(file_bytes=size * 3, files=2))
    other = directory / "another.1790000000000-1-000001.jsonl"
    for number in range(10):
        writer.keep(exchange(path=f"/{number % 10}"))
        other.touch()
    files = recordings_of("main", directory)
    assert [len(file.read_bytes().splitlines()) for file in files] == [3, 1], (
        "3 + 3 + 3 + 1, of which two files are kept"
    )
    assert [line["request"]["path"] for line in read_recordings(*files)] == ["/6", "/7", "/8", "/9"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert other.exists(), "another account's files are its own"


def test_two_processes_share_one_bound(tmp_path: Path) -> None:
    first = recorder(tmp_path, Limits(file_bytes=1, files=3), 1_790_000_000_000)
    second = recorder(tmp_path, Limits(file_bytes=1, files=3), 1_790_000_000_500)
    for _ in range(5):
        first.keep(exchange())
        second.keep(exchange())
    assert len(recordings_of("main", tmp_path)) == 3


async def test_a_recording_that_fails_costs_the_call_nothing(scripted: Scripted, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file where the directory should be")
    scripted.says(envelope({"totalRecords": 0, "totalPage": 0, "data": []}))
    async with recording(scripted.url, tmp_path / "taken") as api:
        assert (await api.list_modified(Stream.ORDERS_1688, 0, 1, 1)).facts == ()


def test_only_an_account_that_asks_is_recorded(tmp_path: Path) -> None:
    silent = account("http://127.0.0.1:1", record_exchanges=False)
    assert build_recorder(silent, Wanted(tmp_path), SystemClock()) is None
    assert build_recorder(account("http://127.0.0.1:1"), Wanted(tmp_path), SystemClock()) is not None


async def facts_of(api: Marketplace, order_ids: list[str], now: int) -> list[Any]:
    page = await api.list_modified(Stream.ORDERS_1688, now - 3_600_000, now + 3_600_000, 1)
    details = [await api.read_order(Platform.ALIBABA_1688, order_id, Source.RESPONSE) for order_id in order_ids]
    return [(fact.key, fact.content) for fact in (*page.facts, *details)]


async def test_a_recording_replayed_gives_the_very_same_facts(tmp_path: Path) -> None:
    """So it can serve as golden file: ids, money, times and parcels are all there."""
    config = SandboxConfig(
        orders=12, arrival_s=0, speed=1, access_key=ACCESS_KEY, access_secret=SECRET, user_id=USER_ID
    )
    async with SandboxServer(config) as server:
        server.sandbox.start()
        world = server.sandbox.world
        await until(lambda: len(world.orders) == 12)
        now, order_ids = server.sandbox.now_ms(), list(world.orders)
        async with recording(server.url, tmp_path) as api:
            live = await facts_of(api, order_ids, now)
            paid = await api.pay(Platform.ALIBABA_1688, order_ids[0], 1)
    people = {text for order in world.orders.values() for text in (order.life.buyer.mobile, order.life.buyer.name)}
    written = "".join(file.read_text() for file in recordings_of("main", tmp_path))
    assert not [text for text in (*people, SECRET, ACCESS_KEY) if text in written]
    replay = Replay(read_recordings(*recordings_of("main", tmp_path)))
    port = Port(replay)
    serving = await port.open()
    async with recording(port.url, tmp_path / "again") as api:
        assert await facts_of(api, order_ids, now) == live
        assert await api.pay(Platform.ALIBABA_1688, order_ids[0], 1) == paid
    port.close()
    await serving
    assert (replay.unexpected, replay.left) == ([], [])


async def test_a_renewed_token_is_recorded_without_any_of_the_tokens(tmp_path: Path) -> None:
    secrets = {"SECRET": APP_SECRET, "TOKEN": "t" * 32, "ACCESS": "token-0", "REFRESH": REFRESH_TOKEN}
    async with open_platform() as platform:
        platform.answers["alibaba.trade.get.buyerView"] = {"success": "false", "errorCode": "404"}
        more = {"dialect": "alibaba1688", "access_key": APP_KEY, "access_token_env": "ACCESS"}
        given = account(platform.url, secrets, refresh_token_env="REFRESH", **more)
        async with recording(given, tmp_path) as api:
            with pytest.raises(RejectedError):
                await api.read_order(Platform.ALIBABA_1688, "9007199254740993", Source.RESPONSE)
    lines = read_recordings(*recordings_of("main", tmp_path))
    assert [line["operation"] for line in lines] == ["1688.order.detail", "auth.token.refresh", "1688.order.detail"]
    text = json.dumps(lines)
    assert not [secret for secret in (APP_SECRET, REFRESH_TOKEN, '"token-', APP_KEY) if secret in text]
    assert all(line["request"]["path"].endswith("/(left out)") for line in lines)
    assert lines[0]["request"]["body"]["form"]["orderId"] == "9007199254740993"
