"""Tokens of the open platform: when they end, how they are extended, and that a new one is never lost."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.marketplaces.examples import ORDER_ID, RECEIVED_AT, order_1688
from tests.marketplaces.open_platform import FIRST_TOKEN, REFRESH_TOKEN, OpenPlatform, buyer, open_platform
from worker.domain.clock import DAY, SECOND
from worker.domain.facts import Source
from worker.domain.identity import Platform
from worker.marketplaces.alibaba1688.vault import RefreshTokenFile
from worker.marketplaces.port import (
    AmbiguousError,
    Credential,
    MarketplaceError,
    RejectedError,
    UnauthorisedError,
    UnsupportedError,
)

DETAIL = "alibaba.trade.get.buyerView"
SOON = RECEIVED_AT + 10 * DAY
RENEWED_END = 1_782_864_000_000
"""2026-07-01 08:00 in Beijing, as the gateway answers it."""


@pytest.fixture
async def platform() -> AsyncIterator[OpenPlatform]:
    async with open_platform() as found:
        found.answers[DETAIL] = {"success": "true", "result": order_1688()}
        yield found


@pytest.fixture
def vault(tmp_path: Path) -> RefreshTokenFile:
    (tmp_path / "refresh").write_text(f"{REFRESH_TOKEN}\n")
    return RefreshTokenFile(tmp_path / "refresh")


# The vault


def test_a_token_and_its_end_survive_together(vault: RefreshTokenFile, tmp_path: Path) -> None:
    assert vault.read() == (REFRESH_TOKEN, None)
    vault.write("new-token", SOON)
    assert RefreshTokenFile(tmp_path / "refresh").read() == ("new-token", SOON)
    assert (tmp_path / "refresh").stat().st_mode & 0o777 == 0o600
    assert "new-token" not in (tmp_path / "refresh.ends").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["refresh", "refresh.ends"]


def test_a_note_about_another_token_is_not_believed(vault: RefreshTokenFile, tmp_path: Path) -> None:
    vault.write("new-token", SOON)
    (tmp_path / "refresh").write_text("put there by a person")
    assert vault.read() == ("put there by a person", None)
    (tmp_path / "refresh.ends").write_text("{")
    assert vault.read() == ("put there by a person", None)


def test_what_a_crash_left_behind_stops_nothing(vault: RefreshTokenFile, tmp_path: Path) -> None:
    for left in ("refresh.new", "refresh.probe"):
        (tmp_path / left).write_text("half")
    vault.check_writable()
    vault.write("new-token", None)
    assert vault.read() == ("new-token", None)


# When tokens end


async def test_the_end_of_a_token_is_known_as_far_as_somebody_said_it(platform: OpenPlatform) -> None:
    async with buyer(platform.url, RECEIVED_AT) as silent:
        assert silent.credentials() == ()
    async with buyer(platform.url, RECEIVED_AT, refresh_token="", ends=(SOON, SOON)) as console:
        assert console.credentials() == (Credential("access_token", SOON),)
        with pytest.raises(UnsupportedError):
            await console.extend_credentials()
    async with buyer(platform.url, RECEIVED_AT, ends=(SOON, SOON + 1)) as both:
        renewed = Credential("access_token", SOON, renews_itself=True)
        assert both.credentials() == (renewed, Credential("refresh_token", SOON + 1))


async def test_a_renewed_token_says_itself_when_it_ends(platform: OpenPlatform) -> None:
    platform.token = "ended"
    async with buyer(platform.url, RECEIVED_AT) as api:
        await api.read_order(Platform.ALIBABA_1688, ORDER_ID, Source.RESPONSE)
        ends_at = RECEIVED_AT + 36_000 * SECOND
        assert api.credentials() == (Credential("access_token", ends_at, renews_itself=True),)


# Extending


async def test_an_extended_token_is_kept_and_used(platform: OpenPlatform, vault: RefreshTokenFile) -> None:
    async with buyer(platform.url, RECEIVED_AT, ends=(None, SOON), vault=vault) as api:
        assert api.credentials()[-1] == Credential("refresh_token", SOON, is_extendable=True)
        await api.extend_credentials()
        assert vault.read() == ("refresh-token-2", RENEWED_END)
        assert api.credentials()[-1].ends_at == RENEWED_END
        platform.token = "ended again"
        await api.read_order(Platform.ALIBABA_1688, ORDER_ID, Source.RESPONSE)
    assert [form["refresh_token"] for form in platform.calls("getToken")] == ["refresh-token-2"]


async def test_what_another_process_extended_is_taken_over_not_extended_again(
    platform: OpenPlatform, vault: RefreshTokenFile
) -> None:
    async with (
        buyer(platform.url, RECEIVED_AT, ends=(None, SOON), vault=vault) as one,
        buyer(platform.url, RECEIVED_AT, ends=(None, SOON), vault=vault) as other,
    ):
        await one.extend_credentials()
        await other.extend_credentials()
        assert len(platform.calls("postponeToken")) == 1
        assert other.credentials()[-1].ends_at == RENEWED_END
        platform.token = "ended again"
        await other.read_order(Platform.ALIBABA_1688, ORDER_ID, Source.RESPONSE)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((502, {}), AmbiguousError),
        ((200, {}), AmbiguousError),
        ({"access_token": "x"}, AmbiguousError),
        ((400, {"error_code": "400", "error_message": "30 days or more left"}), RejectedError),
        ((401, {"error_code": "401"}), UnauthorisedError),
    ],
)
async def test_an_extension_that_fails_leaves_the_old_token_where_it_is(
    platform: OpenPlatform, vault: RefreshTokenFile, answer: Any, error: type[MarketplaceError]
) -> None:
    platform.postponing = answer
    async with buyer(platform.url, RECEIVED_AT, ends=(None, SOON), vault=vault) as api:
        with pytest.raises(error) as raised:
            await api.extend_credentials()
        assert vault.read() == (REFRESH_TOKEN, None)
        assert REFRESH_TOKEN not in str(raised.value)
        assert FIRST_TOKEN not in str(raised.value)
    assert len(platform.calls("postponeToken")) == 1, "an extension is sent once"


async def test_nothing_is_extended_that_could_not_be_kept(platform: OpenPlatform, tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "refresh").write_text(REFRESH_TOKEN)
    (folder / "refresh.probe").mkdir()  # stands in the way of the probe, whoever runs this test
    async with buyer(platform.url, RECEIVED_AT, ends=(None, SOON), vault=RefreshTokenFile(folder / "refresh")) as api:
        with pytest.raises(OSError, match=r"refresh\.probe"):
            await api.extend_credentials()
    assert platform.calls("postponeToken") == []


async def test_a_vault_that_is_gone_does_not_stop_a_renewal(platform: OpenPlatform, tmp_path: Path) -> None:
    platform.token = "ended"
    missing = RefreshTokenFile(tmp_path / "nowhere" / "refresh")
    async with buyer(platform.url, RECEIVED_AT, vault=missing) as api:
        await api.read_order(Platform.ALIBABA_1688, ORDER_ID, Source.RESPONSE)
        with pytest.raises(FileNotFoundError):
            await api.extend_credentials()
    assert platform.renewals == 1


def test_a_note_is_small_and_plain(vault: RefreshTokenFile, tmp_path: Path) -> None:
    vault.write("t" * 200, SOON)
    note = msgspec.json.decode((tmp_path / "refresh.ends").read_bytes())
    assert (note["ends_at"], len(note["digest"])) == (SOON, 16)
    assert os.access(tmp_path / "refresh.ends", os.R_OK)
