"""What a sender is answered, and what is kept: 200 means kept, everything else means not."""

import pytest

from tests.intake.stage import (
    ACCESS_KEY,
    BODY_TIMEOUT_S,
    MAX_BYTES,
    NOT_DURABLE,
    NOW,
    ORDER_ID,
    PAID,
    SECRET,
    TOKEN,
    Kept,
    Message,
    call,
    counted,
    make_app,
    parts,
)
from worker.domain.facts import Source, StatusSeen
from worker.domain.identity import OrderKey, Platform
from worker.marketplaces.pandapon.signing import signature

GOOD = f"/callbacks/main/{TOKEN}"


def headers(timestamp: int = NOW, secret: str = SECRET) -> dict[str, str]:
    return {
        "Access-Key": ACCESS_KEY,
        "Timestamp": str(timestamp),
        "Nonce-Str": "n",
        "Signature": signature(ACCESS_KEY, str(timestamp), "n", secret),
    }


async def test_a_callback_is_kept_as_a_fact_and_answered_200() -> None:
    kept = Kept()
    before = counted("main", "accepted")
    reply = await call(make_app(kept))
    assert (reply.status, reply.body) == (200, b"")
    (fact,) = kept.facts
    assert fact.key == OrderKey("main", Platform.ALIBABA_1688, ORDER_ID)
    assert (fact.source, fact.content, fact.observed_at) == (
        Source.CALLBACK,
        StatusSeen("waitsellersend", "ORDER_PAY"),
        NOW,
    )
    assert counted("main", "accepted") == before + 1


@pytest.mark.parametrize(
    ("path", "account"),
    [
        ("/callbacks/", "unknown"),
        ("/callbacks/nobody", "unknown"),
        ("/callbacks/nobody/" + TOKEN, "unknown"),
        ("/callbacks/MAIN/" + TOKEN, "unknown"),
        ("/callbacks//" + TOKEN, "unknown"),
        ("/callbacks/../main/" + TOKEN, "unknown"),
        ("/callbacks/main", "main"),
        ("/callbacks/main/", "main"),
        ("/callbacks/main/guess", "main"),
        ("/callbacks/main/" + TOKEN + "/", "main"),
        ("/callbacks/main/" + TOKEN + "/more", "main"),
        ("/callbacks/signed/" + TOKEN, "signed"),
        ("/callbacks/open/x", "open"),
    ],
)
@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_a_wrong_address_is_404_and_looks_the_same_whatever_is_wrong_with_it(
    path: str, account: str, method: str
) -> None:
    kept = Kept()
    before = counted(account, "no_such_address")
    reply = await call(make_app(kept), path, method=method)
    assert (reply.status, reply.error) == (404, "there is no such callback address")
    assert kept.events == []
    assert counted(account, "no_such_address") == before + 1


async def test_a_signed_callback_is_kept() -> None:
    kept = Kept()
    assert (await call(make_app(kept), "/callbacks/signed", headers=headers())).status == 200
    assert len(kept.facts) == 1


@pytest.mark.parametrize("given", [None, headers(secret="x"), headers(NOW - 700_000), headers() | {"Signature": ""}])
@pytest.mark.parametrize("body", [PAID, b"", b"not json"])
async def test_a_wrong_or_stale_signature_is_401_and_nothing_is_kept(given: dict[str, str] | None, body: bytes) -> None:
    kept = Kept()
    before = counted("signed", "bad_signature")
    assert (await call(make_app(kept), "/callbacks/signed", body, headers=given)).status == 401
    assert kept.events == []
    assert counted("signed", "bad_signature") == before + 1


@pytest.mark.parametrize(
    ("path", "peer"),
    [
        ("/callbacks/open", ("198.51.100.1", 1)),
        ("/callbacks/open", None),
        (f"/callbacks/fenced/{TOKEN}", ("127.0.0.1", 1)),
    ],
)
async def test_a_foreign_network_is_403(path: str, peer: tuple[str, int] | None) -> None:
    kept = Kept()
    assert (await call(make_app(kept), path, peer=peer)).status == 403
    assert kept.events == []


async def test_without_any_proof_only_this_machine_is_heard_and_no_proxy_on_it() -> None:
    kept = Kept()
    assert (await call(make_app(kept), "/callbacks/open")).status == 200
    assert (await call(make_app(kept), "/callbacks/open", headers={"X-Forwarded-For": "198.51.100.1"})).status == 403
    assert len(kept.events) == 1


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_plain_call_verifies_the_address(method: str) -> None:
    kept = Kept()
    before = counted("main", "verified")
    reply = await call(make_app(kept), GOOD, b"", method=method)
    assert (reply.status, reply.body, kept.events) == (200, b"", [])
    assert counted("main", "verified") == before + 1


async def test_so_does_a_call_without_a_body() -> None:
    kept = Kept()
    assert (await call(make_app(kept), GOOD, b"")).status == 200
    assert kept.events == []


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
async def test_another_method_is_405(method: str) -> None:
    kept = Kept()
    assert (await call(make_app(kept), GOOD, method=method)).status == 405
    assert kept.events == []


@pytest.mark.parametrize("declared", [str(MAX_BYTES + 1), "9" * 30, "9" * 5_000])
async def test_a_body_that_is_declared_too_large_is_refused_before_it_is_read(declared: str) -> None:
    kept = Kept()
    unread: list[Message] = []
    reply = await call(make_app(kept), GOOD, unread, headers={"Content-Length": declared})
    assert (reply.status, kept.events) == (413, [])


@pytest.mark.parametrize(
    "body",
    [
        parts(b"x" * (MAX_BYTES + 1)),
        parts(b"x" * MAX_BYTES, b"x"),
        parts(b"x" * MAX_BYTES, b"x", last=False),
        parts(*[b"x" * 100] * 50, last=False),
    ],
)
async def test_a_body_that_turns_out_too_large_is_refused_as_soon_as_that_is_seen(body: list[Message]) -> None:
    kept = Kept()
    before = counted("main", "too_large")
    reply = await call(make_app(kept), GOOD, body, headers={"Content-Length": "10"})
    assert (reply.status, kept.events) == (413, [])
    assert str(MAX_BYTES) in reply.error
    assert counted("main", "too_large") == before + 1


async def test_a_body_of_just_the_limit_is_read() -> None:
    kept = Kept()
    body = PAID + b" " * (MAX_BYTES - len(PAID))
    assert (await call(make_app(kept), GOOD, body)).status == 200
    assert len(kept.facts) == 1


@pytest.mark.parametrize("pieces", [1, 2, 7, len(PAID)])
async def test_a_body_may_come_in_pieces(pieces: int) -> None:
    kept = Kept()
    size = -(-len(PAID) // pieces)
    chunks = [PAID[at : at + size] for at in range(0, len(PAID), size)]
    assert (await call(make_app(kept), GOOD, parts(*chunks))).status == 200
    assert len(kept.facts) == 1


@pytest.mark.parametrize("body", [[], parts(b"{", last=False), parts(b"", last=False)])
async def test_a_body_that_does_not_arrive_in_time_is_408(body: list[Message]) -> None:
    kept = Kept()
    before = counted("main", "too_slow")
    assert (await call(make_app(kept), GOOD, body)).status == 408
    assert kept.events == []
    assert counted("main", "too_slow") == before + 1
    assert BODY_TIMEOUT_S < 0.2


@pytest.mark.parametrize("body", [[], parts(PAID, last=False)])
async def test_a_sender_that_goes_away_is_not_taken_for_one_that_verifies(body: list[Message]) -> None:
    kept = Kept()
    before = counted("main", "disconnected")
    assert (await call(make_app(kept), GOOD, [*body, {"type": "http.disconnect"}])).status == 400
    assert kept.events == []
    assert counted("main", "disconnected") == before + 1


@pytest.mark.parametrize("body", [b"hello", b"{", b"\xff", b"a=1&b=2", b"[" * 3_000])
async def test_what_is_no_json_is_400_and_not_kept(body: bytes) -> None:
    kept = Kept()
    before = counted("main", "not_json")
    assert (await call(make_app(kept), GOOD, body)).status == 400
    assert kept.events == []
    assert counted("main", "not_json") == before + 1


async def test_what_cannot_be_made_durable_is_503_for_the_sender_to_come_again() -> None:
    before = counted("main", "not_durable")
    reply = await call(make_app(Kept(fails_with=NOT_DURABLE)))
    assert (reply.status, reply.error) == (503, "cannot take the message now; send it again later")
    assert counted("main", "not_durable") == before + 1


async def test_an_error_is_said_in_json_and_never_repeats_what_came() -> None:
    reply = await call(make_app(Kept()), GOOD, b"secret-of-the-sender")
    assert reply.headers[b"content-type"] == b"application/json"
    assert int(reply.headers[b"content-length"]) == len(reply.body)
    assert b"secret-of-the-sender" not in reply.body
    assert TOKEN.encode() not in reply.body
