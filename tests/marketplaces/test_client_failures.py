"""Each failure is told apart, reads are tried three times where that may help, and a payment never."""

from collections.abc import Awaitable, Callable

import pytest

from tests.marketplaces.examples import ORDER_ID, RECEIVED_AT, dump, order_1688
from tests.marketplaces.servers import ACCESS_KEY, SECRET, Answer, Scripted, client, envelope
from worker.domain.facts import Source
from worker.domain.identity import Platform
from worker.marketplaces.http import MAX_ANSWER_BYTES, READ_ATTEMPTS
from worker.marketplaces.pandapon.client import PandaPonClient
from worker.marketplaces.pandapon.wire import Credentials
from worker.marketplaces.port import (
    EffectOutcome,
    MarketplaceError,
    RejectedError,
    RetryableError,
    Stream,
    ThrottledError,
    UnauthorisedError,
    UnreadableError,
)

DETAIL = Answer(body=b'{"code":200,"data":' + dump(order_1688()) + b"}")
GATEWAY = Answer(502, b"<html>Bad Gateway</html>")
BUSY = Answer(429, b"Too Many Requests")

Read = Callable[[PandaPonClient], Awaitable[object]]


async def detail(api: PandaPonClient) -> object:
    return await api.read_order(Platform.ALIBABA_1688, ORDER_ID, Source.RESPONSE)


async def one_page(api: PandaPonClient) -> object:
    return await api.list_modified(Stream.ORDERS_1688, 0, RECEIVED_AT, 1)


FINAL = [
    (envelope(code=40100), UnauthorisedError),
    (envelope(code=401), UnauthorisedError),
    (envelope(code="40102"), UnauthorisedError),
    (envelope(code=403), UnauthorisedError),
    (Answer(401, b"go away"), UnauthorisedError),
    (Answer(403, b"<html>"), UnauthorisedError),
    (Answer(401, envelope(code=40100).body), UnauthorisedError),
    (envelope(code=400), RejectedError),
    (envelope(code=40400), RejectedError),
    (envelope(code=4003), RejectedError),
    (envelope(code=409), RejectedError),
    (envelope(code=300), UnreadableError),
    (envelope(code=0), UnreadableError),
    (envelope(code=None), UnreadableError),
    (envelope(code="SUCCESS"), UnreadableError),
    (envelope(code=200.5), UnreadableError),
    (envelope(code=True), UnreadableError),
    (envelope(code=-500), UnreadableError),
    (envelope(None), UnreadableError),
    (envelope("nothing"), UnreadableError),
    (Answer(200, b""), UnreadableError),
    (Answer(200, b"<html>ok</html>"), UnreadableError),
    (Answer(200, b"[]"), UnreadableError),
    (Answer(200, b'"ok"'), UnreadableError),
    (Answer(404, b"not found"), UnreadableError),
    (Answer(200, DETAIL.body + b" " * MAX_ANSWER_BYTES), UnreadableError),
    (Answer(302, DETAIL.body, (("location", "/elsewhere"),)), UnreadableError),
    (Answer(200, b"\x1f\x8b no gzip", (("content-encoding", "gzip"),)), RetryableError),
]
PASSING = [
    (GATEWAY, RetryableError),
    (Answer(500, DETAIL.body), RetryableError),
    (Answer(503, b""), RetryableError),
    (envelope(code=500), RetryableError),
    (envelope(code=50010), RetryableError),
    (envelope(code="503"), RetryableError),
    (BUSY, ThrottledError),
    (envelope(code=429), ThrottledError),
    (envelope(code=42900), ThrottledError),
]


@pytest.mark.parametrize(("answer", "expected"), [*FINAL, *PASSING])
@pytest.mark.parametrize("read", [detail, one_page])
async def test_a_read_fails_with_its_kind_after_one_call_or_three(
    scripted: Scripted, api: PandaPonClient, read: Read, answer: Answer, expected: type[MarketplaceError]
) -> None:
    scripted.says(answer)
    with pytest.raises(expected) as caught:
        await read(api)
    assert type(caught.value) is expected
    may_pass = expected in {RetryableError, ThrottledError}
    assert len(scripted.asked) == (READ_ATTEMPTS if may_pass else 1)


@pytest.mark.parametrize("answer", [answer for answer, _ in [*FINAL, *PASSING]])
async def test_a_payment_is_called_once_and_its_outcome_is_unclear(
    scripted: Scripted, api: PandaPonClient, answer: Answer
) -> None:
    scripted.says(answer)
    assert (await api.pay(Platform.ALIBABA_1688, ORDER_ID, 1)).outcome is EffectOutcome.UNCLEAR
    assert len(scripted.asked) == 1


@pytest.mark.parametrize("passing", [[GATEWAY], [BUSY], [GATEWAY, BUSY], [envelope(code=50010), envelope(code=429)]])
async def test_a_read_survives_two_passing_failures(
    scripted: Scripted, api: PandaPonClient, passing: list[Answer]
) -> None:
    scripted.says(*passing, DETAIL)
    await detail(api)
    assert len(scripted.asked) == len(passing) + 1


async def test_a_redirect_is_not_followed(scripted: Scripted, api: PandaPonClient) -> None:
    scripted.says(Answer(307, b"", (("location", f"{scripted.url}/v2/alibaba/order/page"),)), DETAIL)
    with pytest.raises(UnreadableError, match="HTTP 307: redirects are not followed"):
        await detail(api)
    scripted.says(Answer(307, b"", (("location", f"{scripted.url}/alibaba/order/pay/url"),)), DETAIL)
    assert (await api.pay(Platform.ALIBABA_1688, ORDER_ID, 1)).outcome is EffectOutcome.UNCLEAR
    assert [asked.path for asked in scripted.asked] == ["/alibaba/order/detail", "/alibaba/order/pay/url"]


async def test_an_error_says_what_the_marketplace_said_but_not_all_of_it(
    scripted: Scripted, api: PandaPonClient
) -> None:
    scripted.says(envelope(code=40400, msg="订单不存在" * 200))
    with pytest.raises(RejectedError, match=r"1688\.order\.detail: code 40400, '订单不存在") as caught:
        await detail(api)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("answer", [GATEWAY, envelope(code=40102, msg="signature mismatch"), Answer(200, b"?")])
async def test_no_secret_gets_into_an_error_a_log_line_or_a_repr(
    scripted: Scripted, api: PandaPonClient, answer: Answer, capfd: pytest.CaptureFixture[str]
) -> None:
    scripted.says(answer)
    with pytest.raises(MarketplaceError) as caught:
        await detail(api)
    said = [repr(caught.value), str(caught.value), repr(await api.pay(Platform.ALIBABA_1688, ORDER_ID, 1))]
    error: BaseException | None = caught.value
    while error is not None:
        said.append(repr(error))
        error = error.__cause__ or error.__context__
    logged = capfd.readouterr()
    said += [logged.out, logged.err, repr(api), repr(vars(api)), repr(Credentials(ACCESS_KEY, SECRET, "u"))]
    assert not [text for text in said if SECRET in text]


async def test_another_secret_than_ours_is_another_signature(scripted: Scripted, api: PandaPonClient) -> None:
    scripted.says(DETAIL)
    async with (
        client(scripted.url, now=RECEIVED_AT) as ours,
        client(scripted.url, now=RECEIVED_AT, secret="x") as other,
    ):
        await detail(ours)
        await detail(other)
    assert len({asked.headers["signature"] for asked in scripted.asked}) == 2
