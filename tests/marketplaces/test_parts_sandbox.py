"""Reads of a part of an order against the sandbox: what they tell is the truth, and settles what is left open."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.marketplaces.open_platform import LINKS
from tests.marketplaces.test_effects_sandbox import PATHS, SandboxTime, pay_everything
from tests.sandbox.aop.caller import OpenStage
from tests.sandbox.stage import DAY_S, HOUR_S, Stage
from worker.catalogue.operation import Dialect
from worker.domain.facts import Fact, Snapshot, Source
from worker.domain.handover import signed_for
from worker.domain.identity import Platform
from worker.domain.part_reads import wanted_part_reads
from worker.domain.reducer import Order, apply
from worker.marketplaces.alibaba1688.client import Alibaba1688Client
from worker.marketplaces.alibaba1688.vault import RefreshTokenFile
from worker.marketplaces.alibaba1688.wire import AopWire, AppKeys
from worker.marketplaces.breaker import Breaker
from worker.marketplaces.caller import Caller, Routes, Wire
from worker.marketplaces.http import HttpCore
from worker.marketplaces.images import ImageFetcher
from worker.marketplaces.limits import NoLimit
from worker.marketplaces.pandapon.client import PandaPonClient
from worker.marketplaces.pandapon.wire import Credentials, PandaPonWire
from worker.marketplaces.port import Marketplace, RejectedError
from worker.sandbox import AopConfig, create_app
from worker.sandbox.order import Order as TrueOrder

ON_1688 = Platform.ALIBABA_1688
SKEW = 5_000
QUIET: dict[str, Any] = {"buyer_confirms": False, "settle_s": 0.0, "agreement_share": 1.0}
AOP = AopConfig()


def caller(stage: Stage, dialect: Dialect, wire: Callable[[HttpCore], Wire]) -> Caller:
    http = HttpCore("http://sandbox.invalid", timeout_s=5.0, transport=httpx2.ASGITransport(create_app(stage.sandbox)))
    routes = Routes(dialect, "v1", PATHS if dialect is Dialect.PANDAPON else {})
    breaker = Breaker(lambda: 0.0, threshold=1_000_000)
    return Caller(http, wire(http), SandboxTime(stage), routes=routes, limiter=NoLimit(), breaker=breaker)


def open_platform_of(stage: OpenStage, vault: RefreshTokenFile | None = None) -> Alibaba1688Client:
    config = stage.sandbox.config
    keys = AppKeys(config.access_key, config.access_secret, AOP.access_token, AOP.refresh_token)
    clock = SandboxTime(stage)
    calls = caller(stage, Dialect.ALIBABA1688, lambda http: AopWire(keys, http, clock, vault=vault))
    return Alibaba1688Client("main", calls, ImageFetcher((), ()), clock.now_ms, LINKS)


def pandapon_of(stage: Stage) -> PandaPonClient:
    config = stage.sandbox.config
    keys = Credentials(config.access_key, config.access_secret, config.user_id)
    calls = caller(stage, Dialect.PANDAPON, lambda _http: PandaPonWire(keys, SandboxTime(stage)))
    return PandaPonClient("main", calls, ImageFetcher((), ()), LINKS)


@pytest.fixture(params=["alibaba1688", "pandapon"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Stage, Marketplace]]:
    """A sandbox whose orders are paid, and a client of one of its two APIs."""
    stage: Stage
    api: Marketplace
    if request.param == "alibaba1688":
        opened = OpenStage(orders=20, **QUIET)
        stage, api = opened, open_platform_of(opened)
    else:
        stage = Stage(orders=20, **QUIET)
        api = pandapon_of(stage)
    stage.begin()
    pay_everything(stage)
    yield stage, api
    await api.close()


def content(fact: Fact) -> Snapshot:
    assert isinstance(fact.content, Snapshot)
    return fact.content


async def seen(api: Marketplace, order_id: str, known: Order | None = None) -> Order:
    """The order as a fresh read shows it."""
    fact = await api.read_order(ON_1688, order_id, Source.RESPONSE)
    return apply(known or Order.new(fact.key), fact, fact.derive_id(), SKEW).order


def with_parcels(stage: Stage, count: int) -> TrueOrder:
    return stage.until(
        lambda: next((one for one in stage.orders if len(one.parcels) >= count and not one.refunds), None)
    )


async def test_the_tracks_are_where_the_parcels_are(world: tuple[Stage, Marketplace]) -> None:
    stage, api = world
    order = with_parcels(stage, 2)
    stage.advance(3 * HOUR_S)
    tracks = content(await api.read_logistics(ON_1688, order.order_id, [])).tracks
    assert isinstance(tracks, tuple)
    told = {track.parcel_id: (track.waybill, set(track.line_ids), track.status_word == "SIGN") for track in tracks}
    assert told == {
        parcel.ship.logistics_code: (parcel.waybill, {str(line) for line in parcel.line_ids}, parcel.signed)
        for parcel in order.parcels
    }
    assert all(track.moved_at is not None and track.moved_at <= stage.clock.ms for track in tracks if track.status_word)


async def test_a_track_names_the_same_parcels_as_the_order_and_says_when_they_were_signed_for(
    world: tuple[Stage, Marketplace],
) -> None:
    stage, api = world
    order = stage.until(lambda: next((one for one in stage.orders if one.received_ms and not one.refunds), None))
    known = await seen(api, order.order_id)
    fact = await api.read_logistics(ON_1688, order.order_id, [])
    tracked = apply(known, fact, fact.derive_id(), SKEW).order
    assert [parcel.parcel_id for parcel in tracked.view.parcels] == [parcel.parcel_id for parcel in known.view.parcels]
    assert {parcel.tracked for parcel in tracked.view.parcels if parcel.number} <= {"SIGN"}
    assert signed_for(tracked.view)
    latest = max(parcel.signed_ms or 0 for parcel in order.parcels)
    moved = [parcel.moved_at for parcel in tracked.view.parcels if isinstance(parcel.moved_at, int)]
    assert max(moved) // 1_000 == latest // 1_000
    assert not wanted_part_reads(tracked, stage.clock.ms, SKEW).logistics


async def test_a_refund_is_read_with_its_amount(world: tuple[Stage, Marketplace]) -> None:
    stage, api = world
    order = stage.until(lambda: next((one for one in stage.orders if one.refunds), None), hours=24 * 40)
    (refund,) = order.refunds
    known = await seen(api, order.order_id)
    assert wanted_part_reads(known, stage.clock.ms, SKEW).refund_ids == (refund.refund_id,)
    fact = await api.read_refund(ON_1688, order.order_id, refund.refund_id)
    (shown,) = apply(known, fact, fact.derive_id(), SKEW).order.view.refunds
    assert (shown.word, shown.amount, shown.confirmed) == (refund.status, refund.amount_fen, True)
    with pytest.raises(RejectedError):
        await api.read_refund(ON_1688, order.order_id, "TQ999")


async def test_a_sub_order_on_taobao_is_tracked() -> None:
    stage = Stage(orders=0, taobao_orders=4, **QUIET)
    api = pandapon_of(stage)
    stage.begin()
    stage.advance(120)
    order = next(iter(stage.sandbox.taobao.orders.values()))
    await api.pay(Platform.TAOBAO, order.order_id, order.total_fen)
    stage.advance(10 * DAY_S)
    lines = [str(sub.sub_id) for sub in order.subs]
    tracks = content(await api.read_logistics(Platform.TAOBAO, order.order_id, lines)).tracks
    assert isinstance(tracks, tuple)
    assert {track.waybill for track in tracks} == {parcel.waybill for sub in order.subs for parcel in sub.parcels}
    await api.close()


async def test_a_refresh_token_is_extended_in_its_last_days_and_not_before(tmp_path: Path) -> None:
    stage = OpenStage(orders=1, **QUIET)
    (tmp_path / "refresh").write_text(AOP.refresh_token)
    vault = RefreshTokenFile(tmp_path / "refresh")
    api = open_platform_of(stage, vault)
    stage.begin()
    with pytest.raises(RejectedError, match="30 days or more"):
        await api.extend_credentials()
    assert vault.read() == (AOP.refresh_token, None)
    stage.advance(155 * DAY_S)
    await api.extend_credentials()
    token, ends_at = vault.read()
    assert token != AOP.refresh_token
    assert ends_at is not None
    assert ends_at // 1_000 == (stage.clock.ms + 180 * DAY_S * 1_000) // 1_000
    stage.sandbox.open_platform.tokens.expire()
    assert (await seen(api, stage.orders[0].order_id)).view.lifecycle is not None
    await api.close()
