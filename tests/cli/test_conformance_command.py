"""`ordersync conformance`: what it refuses, what it prints, and how it ends."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.waiting import until
from worker.accounts import ConfigurationError
from worker.cli.conformance import CONFIRMED, CONTRADICTED, NOT_RUN, Wanted, conformance
from worker.marketplaces.recording import recordings_of
from worker.sandbox import SandboxConfig, SandboxServer
from worker.sandbox.port import Port

SECRET = "sandbox-secret"
ACCOUNT = """
[[accounts]]
name = "main"
dialect = "{dialect}"
base_url = "{url}"
access_key = "{key}"
access_secret_env = "MAIN_SECRET"
user_id = "{user}"
callback_auth = "none"
"""


@pytest.fixture
def accounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "accounts.toml"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ORDERSYNC_ACCOUNTS_FILE", str(file))
    monkeypatch.setenv("MAIN_SECRET", SECRET)
    return file


def write(file: Path, url: str, *, dialect: str = "xport") -> None:
    config = SandboxConfig()
    file.write_text(ACCOUNT.format(dialect=dialect, url=url, key=config.access_key, user=config.user_id))


@pytest.fixture
async def server() -> AsyncIterator[SandboxServer]:
    async with SandboxServer(SandboxConfig(orders=10, arrival_s=0, speed=1)) as running:
        running.sandbox.start()
        await until(lambda: len(running.sandbox.world.orders) == 10)
        yield running


async def run(wanted: Wanted) -> int:
    return await asyncio.to_thread(conformance, "main", wanted)


@pytest.mark.parametrize("wanted", [Wanted(effects=True), Wanted(sandbox=True), Wanted(effects=True, sandbox=True)])
async def test_effects_are_refused_against_anything_that_is_not_on_this_machine(
    accounts: Path, capsys: pytest.CaptureFixture[str], wanted: Wanted
) -> None:
    write(accounts, "https://api.pandapon.com")
    assert await run(wanted) == NOT_RUN
    said = capsys.readouterr()
    assert said.out == ""
    assert "is for a sandbox on this machine; https://api.pandapon.com is not. Nothing was sent" in said.err


async def test_effects_are_refused_where_no_sandbox_answers_behind_an_address_of_this_machine(
    accounts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may be the end of a tunnel to the real thing."""
    asked: list[str] = []

    async def tunnel(scope: dict[str, str], _receive: object, send: object) -> None:
        asked.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[operator]
        await send({"type": "http.response.body", "body": b'{"code":40400}'})  # type: ignore[operator]

    port = Port(tunnel)  # type: ignore[arg-type]
    serving = await port.open()
    write(accounts, port.url)
    assert await run(Wanted(effects=True)) == NOT_RUN
    port.close()
    await serving
    assert asked == ["/_sandbox/paths"]
    assert "what answers there is no sandbox" in capsys.readouterr().err


async def test_read_only_and_effects_exclude_each_other(accounts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(accounts, "http://127.0.0.1:1")
    assert await run(Wanted(read_only=True, effects=True)) == NOT_RUN
    assert "exclude each other" in capsys.readouterr().err


async def test_an_address_where_nobody_answers_is_no_verdict(
    accounts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(accounts, "http://127.0.0.1:9")
    assert await run(Wanted()) == NOT_RUN
    assert "no operation could be reached" in capsys.readouterr().err


def test_an_account_that_is_not_there_is_named(accounts: Path) -> None:
    write(accounts, "http://127.0.0.1:9")
    with pytest.raises(ConfigurationError, match="expected one of main"):
        conformance("other", Wanted())


async def test_a_run_prints_a_table_and_can_be_recorded(
    accounts: Path, server: SandboxServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(accounts, server.url)
    status = await run(Wanted(read_only=True, sandbox=True, record=tmp_path / "recordings"))
    table = capsys.readouterr().out
    assert status in (CONFIRMED, CONTRADICTED)
    assert status == (CONTRADICTED if "Contradicted:" in table else CONFIRMED)
    assert "| `1688.order.detail` | unknown | " in table
    assert SECRET not in table
    (recording,) = recordings_of("main", tmp_path / "recordings")
    assert "1688.order.detail" in recording.read_text()
    assert SECRET not in recording.read_text()


async def test_json_and_values_to_ask_with(
    accounts: Path, server: SandboxServer, capsys: pytest.CaptureFixture[str]
) -> None:
    write(accounts, server.url)
    order_id = next(iter(server.sandbox.world.orders))
    await run(Wanted(sandbox=True, ask=(f"orderId={order_id}",), as_json=True))
    report = json.loads(capsys.readouterr().out)
    detail = next(one for one in report["findings"] if one["operation"] == "1688.order.detail")
    assert detail["state"] in ("confirmed", "partly")
    assert {call.key for call in server.sandbox.traffic.log if call.operation == "1688.order.detail"} >= {order_id}
