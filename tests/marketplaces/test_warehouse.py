"""PandaPon's warehouse: what it is told, what it is asked, and that a receiver stays between it and us."""

from typing import Any
from urllib.parse import parse_qs

import msgspec
import pytest
from structlog.testing import capture_logs

from tests.marketplaces.examples import ORDER_ID, RECEIVED_AT
from tests.marketplaces.servers import ACCESS_KEY, NONCE, SECRET, Answer, Scripted, at, envelope
from worker.catalogue.operation import Dialect
from worker.domain.clock import SECOND
from worker.domain.facts import Line, Parcel
from worker.domain.identity import Platform
from worker.marketplaces.pandapon.signing import signature
from worker.marketplaces.port import (
    EffectOutcome,
    FreightQuestion,
    FreightQuote,
    FreightService,
    MarketplaceError,
    NotSentError,
    Receiver,
    UnreadableError,
    UnsupportedError,
)

ON_1688 = Platform.ALIBABA_1688
LINE = Line("11", product_id="610", sku_id="4711", name="Cup", image_url="//a.jpg", quantity="2", price=1_230)
OTHER_LINE = Line("12", product_id="611", quantity="3.000", amount=1_000)
PARCEL = Parcel("p1", waybill="SF1", carrier="SF", line_ids=("11",), shipped_at=RECEIVED_AT)
SERVICE = FreightService("S1", "Fast", "air")
RECEIVER = Receiver(name="Jane Roe", country="US", address="1 Elm St", city="Reno", zip="89501", phone="+15550100")
QUESTION = FreightQuestion(ON_1688, ORDER_ID, RECEIVER, SERVICE, (LINE, OTHER_LINE))
RENDERED = {"renderId": "FF1", "price": "12.30", "currency": "USD", "expireTime": "2026-01-01 12:00:00"}
FREIGHT = {"serviceId": "S1", "companyName": "Fast", "serviceCategory": "air"}
BOOKED = {"renderId": "FF1", "logisticNumer": "FARJP1YQ", "tmallOrderId": ORDER_ID}
PERSONAL = (RECEIVER.name, RECEIVER.address, RECEIVER.phone, RECEIVER.zip)


def body(scripted: Scripted) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(scripted.asked[-1].body)
    return found


async def test_the_warehouse_is_told_which_parcels_bring_which_lines(scripted: Scripted) -> None:
    scripted.says(envelope(None))
    second = Parcel("p2", waybill="YT2", line_ids=("11", "12"))
    async with at(scripted) as api:
        answer = await api.update_domestic_logistics(
            ON_1688, ORDER_ID, [PARCEL, second], [LINE, OTHER_LINE], international="FARJP1YQ"
        )
    assert answer.outcome is EffectOutcome.DONE
    (asked,) = scripted.asked
    assert asked.path == "/open/pp/logistics/updateLogisticInfo"
    stamp = str(RECEIVED_AT)
    proof = {"timestamp": [stamp], "sign": [signature(ACCESS_KEY, stamp, NONCE, SECRET)]}
    assert parse_qs(asked.query) == proof
    told = body(scripted)
    assert (told["orderId"], told["tmallOrderId"]) == (ORDER_ID, ORDER_ID)
    first, other = told["logisticInfos"]
    assert first == {
        "lineItem": {"itemId": "610", "skuId": "4711", "quantity": 2, "title": "Cup", "imageUrl": "//a.jpg"},
        "logisticNumer": "FARJP1YQ",
        "domesticLogisticInfo": [
            {"logisticNumer": "SF1", "logisticCompanyName": "SF", "rtsTime": str(RECEIVED_AT // SECOND)},
            {"logisticNumer": "YT2", "logisticCompanyName": "", "rtsTime": ""},
        ],
    }
    assert [parcel["logisticNumer"] for parcel in other["domesticLogisticInfo"]] == ["YT2"]


async def test_a_parcel_that_names_no_lines_may_bring_any(scripted: Scripted) -> None:
    scripted.says(envelope(None))
    async with at(scripted) as api:
        await api.update_domestic_logistics(ON_1688, ORDER_ID, [Parcel("p", waybill="SF9")], [LINE, OTHER_LINE])
    rows = body(scripted)["logisticInfos"]
    assert [[one["logisticNumer"] for one in row["domesticLogisticInfo"]] for row in rows] == [["SF9"], ["SF9"]]


@pytest.mark.parametrize(
    ("parcels", "lines"),
    [
        ([], [LINE]),
        ([PARCEL], []),
        ([Parcel("p1", line_ids=("11",))], [LINE]),
        ([PARCEL], [OTHER_LINE]),
        ([PARCEL], [msgspec.structs.replace(LINE, quantity="1.5")]),
        ([PARCEL], [msgspec.structs.replace(LINE, quantity="9E999999")]),
        ([PARCEL], [msgspec.structs.replace(LINE, quantity=None)]),
        ([PARCEL], [msgspec.structs.replace(LINE, product_id=None)]),
    ],
)
async def test_nothing_is_told_that_cannot_be_said_wholly(
    scripted: Scripted, parcels: list[Parcel], lines: list[Line]
) -> None:
    async with at(scripted) as api:
        with pytest.raises(NotSentError):
            await api.update_domestic_logistics(ON_1688, ORDER_ID, parcels, lines)
    assert scripted.asked == []


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (envelope(None, code=40400), EffectOutcome.REJECTED),
        (envelope(None, code=50000), EffectOutcome.UNCLEAR),
        (Answer(502, b"{}"), EffectOutcome.UNCLEAR),
        (Answer(200, b"{}"), EffectOutcome.UNCLEAR),
    ],
)
async def test_only_a_plain_refusal_of_news_is_definite(
    scripted: Scripted, answer: Answer, outcome: EffectOutcome
) -> None:
    scripted.says(answer)
    async with at(scripted) as api:
        told = await api.update_domestic_logistics(ON_1688, ORDER_ID, [PARCEL], [LINE])
    assert told.outcome is outcome
    assert len(scripted.asked) == 1


async def test_a_price_is_asked_for_receiver_service_and_lines(scripted: Scripted) -> None:
    scripted.says(envelope(RENDERED | {"freightInfo": FREIGHT}))
    async with at(scripted) as api:
        quote = await api.preview_freight(QUESTION)
    noon = RECEIVED_AT - 40 - 5 * 60 * SECOND + 2 * 3600 * SECOND
    assert quote == FreightQuote("FF1", 1_230, "USD", SERVICE, noon)
    asked = body(scripted)
    assert asked["receiverAddress"] == {
        "name": "Jane Roe",
        "phone": "+15550100",
        "address": "1 Elm St",
        "country": "US",
        "city": "Reno",
        "zip": "89501",
    }
    first, other = asked["renderItems"]
    item = {"itemId": "610", "skuId": "4711", "quantity": 2, "currency": "CNY", "price": "12.30"}
    assert first == item | {"freightInfo": FREIGHT}
    assert other["price"] == "3.33"


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        RENDERED | {"renderId": ""},
        RENDERED | {"renderId": "F" * 101},
        RENDERED | {"price": None},
        RENDERED | {"price": "free"},
        RENDERED | {"price": "-1"},
        RENDERED | {"price": "1.001"},
        RENDERED | {"currency": "dollars"},
        RENDERED | {"currency": "JPY"},
        RENDERED | {"freightInfo": {"serviceId": "S2"}},
    ],
)
async def test_a_quote_that_is_not_wholly_readable_is_none(scripted: Scripted, data: Any) -> None:
    scripted.says(envelope(data))
    async with at(scripted) as api:
        with pytest.raises(UnreadableError):
            await api.preview_freight(QUESTION)


async def test_a_currency_without_minor_units_has_none(scripted: Scripted) -> None:
    scripted.says(envelope(RENDERED | {"currency": "JPY", "price": "1230"}))
    async with at(scripted) as api:
        assert (await api.preview_freight(QUESTION)).amount == 1_230


@pytest.mark.parametrize(
    "lines", [(), (msgspec.structs.replace(LINE, price=None),), (msgspec.structs.replace(LINE, quantity="0"),)]
)
async def test_what_cannot_be_sent_abroad_is_not_asked_about(scripted: Scripted, lines: tuple[Line, ...]) -> None:
    question = msgspec.structs.replace(QUESTION, lines=lines)
    async with at(scripted) as api:
        with pytest.raises(MarketplaceError):
            await api.preview_freight(question)
        with pytest.raises(NotSentError):
            await api.book_international(question, "FF1")
    assert scripted.asked == []


async def test_a_booking_names_the_preview_and_brings_the_number_back(scripted: Scripted) -> None:
    scripted.says(envelope(BOOKED))
    async with at(scripted) as api:
        answer = await api.book_international(QUESTION, "FF1")
    assert (answer.outcome, answer.reference) == (EffectOutcome.DONE, "FARJP1YQ")
    asked = body(scripted)
    assert (asked["renderId"], asked["tmallOrderInfo"]) == ("FF1", {"tmallOrderId": ORDER_ID})
    assert [line["itemId"] for line in asked["lineItems"]] == ["610", "611"]
    assert asked["lineItems"][0]["title"] == "Cup"


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (envelope(None), EffectOutcome.UNCLEAR),
        (envelope(BOOKED | {"logisticNumer": None}), EffectOutcome.UNCLEAR),
        (envelope(BOOKED | {"renderId": "FF2"}), EffectOutcome.UNCLEAR),
        (envelope(BOOKED | {"tmallOrderId": "1"}), EffectOutcome.UNCLEAR),
        (envelope(None, code=40900, msg="the render id has expired"), EffectOutcome.REJECTED),
        (envelope(None, code=50000), EffectOutcome.UNCLEAR),
        (Answer(504, b""), EffectOutcome.UNCLEAR),
    ],
)
async def test_a_booking_is_only_done_when_it_says_what_was_booked(
    scripted: Scripted, answer: Answer, outcome: EffectOutcome
) -> None:
    scripted.says(answer)
    async with at(scripted) as api:
        assert (await api.book_international(QUESTION, "FF1")).outcome is outcome
    assert len(scripted.asked) == 1


@pytest.mark.parametrize("code", [40000, 40900, 50000, 40100, "odd"])
async def test_a_receiver_stays_out_of_answers_errors_and_logs(scripted: Scripted, code: Any) -> None:
    """The marketplace may repeat in its text what it was told."""
    scripted.says(envelope(None, code=code, msg=f"bad address: {' '.join(PERSONAL)}"))
    async with at(scripted) as api:
        with capture_logs() as logs:
            answer = await api.book_international(QUESTION, "FF1")
            with pytest.raises(MarketplaceError) as error:
                await api.preview_freight(QUESTION)
    shown = f"{answer} {error.value} {error.value.__context__} {logs} {QUESTION}"
    assert not [word for word in PERSONAL if word in shown]


async def test_xport_has_no_warehouse_of_this_kind(scripted: Scripted) -> None:
    async with at(scripted, Dialect.XPORT) as api:
        with pytest.raises(NotSentError):
            await api.update_domestic_logistics(ON_1688, ORDER_ID, [PARCEL], [LINE])
        with pytest.raises(NotSentError):
            await api.book_international(QUESTION, "FF1")
        with pytest.raises(UnsupportedError):
            await api.preview_freight(QUESTION)
    assert scripted.asked == []
