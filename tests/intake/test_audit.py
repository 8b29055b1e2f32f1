"""The audit finds each order whose model is not what the marketplace shows, and repairs only when it is told to."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.cli.conftest import Command, ordersync, place
from tests.followups.stage import FakeMarketplace, Stage
from tests.intake.stage import NOT_DURABLE
from tests.reconcile.stage import order
from tests.storage.database import rows, value
from worker.accounts import Account, ConfigurationError, load_accounts
from worker.cli.audit import AT_ONCE, CLEAN, DRIFTED, FAILED, MAX_SHOWN, Report, choose, compare, show
from worker.cli.output import SafeConsole
from worker.composition import Worker
from worker.domain.facts import Amounts, Fact, Lifecycle, Parcel, Snapshot, Source
from worker.domain.identity import Platform
from worker.marketplaces.port import RejectedError, UnreadableError
from worker.settings import load_settings

__all__ = ["ordersync", "place"]


@pytest.fixture
async def stage(engine: AsyncEngine) -> Stage:
    """Twelve orders that the model shows as the marketplace does."""
    stage = Stage(engine)
    for number in range(12):
        await stage.unpaid_order(f"{number}")
    return stage


@pytest.fixture
async def worker(place: pytest.MonkeyPatch, database: str, stage: Stage) -> AsyncIterator[Worker]:
    """A worker without roles whose one account is the stage's marketplace."""
    place.setenv("ORDERSYNC_DATABASE_URL", database)
    settings = load_settings()
    accounts = load_accounts(settings.accounts_file, {"CLI_SECRET": "s" * 32, "CLI_TOKEN": "t" * 32})
    made = Worker(settings, accounts, ())
    await made.marketplaces["main"].close()
    made.marketplaces["main"] = stage.market
    yield made
    await made.stop()


async def audit(worker: Worker, *, sample: int = 0, seed: int = 1, repair: bool = False) -> Report:
    return await compare(worker, worker.accounts, sample=sample, seed=seed, repair=repair)


async def test_a_true_model_has_no_drift(worker: Worker) -> None:
    report = await audit(worker)
    assert (report.status, report.read, report.orders, report.failed) == (CLEAN, 12, {}, {})


async def test_drift_is_told_by_field_and_by_order(worker: Worker, stage: Stage) -> None:
    stage.market.show("3", "waitbuyerpay", 9_000)
    stage.market.show("5", "waitsellersend", 9_500, paid=True)
    report = await audit(worker)
    assert report.status == DRIFTED
    assert set(report.orders) == {"main/1688/3", "main/1688/5"}
    assert report.orders["main/1688/3"] == {"total": [10_000, 9_000]}
    assert report.orders["main/1688/5"]["status"] == ["awaiting_payment", "awaiting_shipment"]
    assert (report.drift["total"], report.drift["status"], report.drift["paid"]) == (2, 1, 1)


async def test_a_parcel_that_nobody_told_of_is_drift(worker: Worker, stage: Stage) -> None:
    shown = stage.market.shown["2"]
    stage.market.shown["2"] = msgspec.structs.replace(shown, parcels=(Parcel("LP1", "SF123"),))
    assert set((await audit(worker)).orders["main/1688/2"]) == {"parcels"}


async def test_looking_changes_nothing(worker: Worker, stage: Stage, engine: AsyncEngine) -> None:
    before = await rows(engine, "SELECT * FROM orders ORDER BY id")
    stage.market.show("3", "waitbuyerpay", 9_000)
    await audit(worker)
    await stage.catch_up()
    assert await rows(engine, "SELECT * FROM orders ORDER BY id") == before


async def test_repair_publishes_what_was_read_and_the_model_follows(
    worker: Worker, stage: Stage, engine: AsyncEngine
) -> None:
    stage.market.show("3", "waitbuyerpay", 9_000)
    assert (await audit(worker, repair=True)).status == DRIFTED, "it tells what it found, not what it left"
    await stage.catch_up()
    assert await value(engine, "SELECT total_minor FROM orders WHERE order_id = '3'") == 9_000
    assert await value(engine, "SELECT count(*) FROM facts WHERE source = 'sweep'") == 12
    assert (await audit(worker)).status == CLEAN


async def test_an_order_that_cannot_be_read_does_not_hide_the_others(worker: Worker, stage: Stage) -> None:
    stage.market.read_failures = [RejectedError("no such order"), UnreadableError("no JSON")]
    stage.market.show("11", "waitbuyerpay", 9_000)
    report = await audit(worker)
    assert (report.status, report.read, len(report.failed)) == (FAILED, 10, 2)
    assert {reason.partition(":")[0] for reason in report.failed.values()} == {"RejectedError", "UnreadableError"}


async def test_a_repair_that_could_not_be_kept_is_a_failure(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(_event: object) -> None:
        raise NOT_DURABLE

    monkeypatch.setattr(worker.publisher, "publish", refuse)
    report = await audit(worker, repair=True)
    assert (report.status, len(report.failed)) == (FAILED, 12)


async def test_a_sample_is_the_same_for_the_same_seed(worker: Worker, stage: Stage) -> None:
    for number in range(12):
        stage.market.show(f"{number}", "waitbuyerpay", 9_000)
    first, again, other = [set((await audit(worker, sample=5, seed=seed)).orders) for seed in (1, 1, 2)]
    assert len(first) == 5
    assert first == again != other


async def test_other_accounts_and_platforms_are_left_alone(worker: Worker, stage: Stage, engine: AsyncEngine) -> None:
    await stage.tell(taobao_order())
    assert (await audit(worker)).read == 12
    assert await value(engine, "SELECT count(*) FROM orders") == 13


def taobao_order() -> Fact:
    content = Snapshot(Lifecycle("waitbuyerpay", modified_at=1), Amounts(1))
    return Fact(order("77", Platform.TAOBAO), Source.RESPONSE, content, FakeMarketplace().clock.now_ms())


async def test_few_orders_are_read_at_once(worker: Worker, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    running, most, full = 0, 0, asyncio.Event()
    read = stage.market.read_order

    async def watched(platform: Platform, order_id: str, source: Source) -> Fact:
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == AT_ONCE:
            full.set()
        await asyncio.wait_for(full.wait(), 10)
        running -= 1
        return await read(platform, order_id, source)

    monkeypatch.setattr(stage.market, "read_order", watched)
    await audit(worker)
    assert most == AT_ONCE


def said(report: Report, *, as_json: bool = False) -> str:
    console = SafeConsole()
    with console.capture() as written:
        show(report, console, as_json=as_json)
    return written.get()


def test_a_person_sees_fields_orders_and_reasons() -> None:
    report = Report(read=3, failed={"main/1688/9": "RejectedError: [gone]"}, orders={"main/1688/1": {"total": [2, 1]}})
    report.drift.update({"total": 1})
    lines = said(report).splitlines()
    assert lines == [
        "main/1688/1 total: known 2, the marketplace says 1",
        "main/1688/9 could not be read: RejectedError: [gone]",
        "3 orders compared, 1 differ, 1 not read",
        "drift: total 1",
    ]


def test_what_is_shown_is_bounded() -> None:
    report = Report(read=500, orders={f"main/1688/{number}": {"paid": [False, True]} for number in range(500)})
    assert len(said(report).splitlines()) == MAX_SHOWN + 2


def test_a_program_gets_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report(read=1, orders={"main/1688/1": {"total": [2, 1]}})
    report.drift.update({"total": 1})
    said(report, as_json=True)
    assert msgspec.json.decode(capsys.readouterr().out) == {
        "read": 1,
        "failed": {},
        "drift": {"total": 1},
        "orders": {"main/1688/1": {"total": [2, 1]}},
    }


def test_an_account_that_is_not_there_is_a_mistake_that_names_the_others(worker: Worker) -> None:
    accounts: list[Account] = list(worker.accounts)
    assert choose(accounts, None) == choose(accounts, "main") == accounts
    with pytest.raises(ConfigurationError, match="--account nobody: there is no such account; expected one of main"):
        choose(accounts, "nobody")


def test_a_database_that_is_away_ends_with_2_and_what_to_do(ordersync: Command) -> None:
    ended = ordersync("audit")
    assert ended.status == FAILED
    assert "the model cannot be read" in ended.out
    assert "ordersync doctor" in ended.out
