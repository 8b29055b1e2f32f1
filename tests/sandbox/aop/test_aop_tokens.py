"""Codes and tokens: how long they are good, how often, and in which form they are told."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.aop.caller import CALLBACK, TOKEN, OpenStage
from tests.sandbox.stage import DAY_S
from worker.sandbox import AopConfig

REFRESH = AopConfig().refresh_token
DETAIL = "1688.order.detail"


@pytest.fixture
def stage() -> OpenStage:
    stage = OpenStage(orders=1, aop={"access_token_s": 36_000.0})
    stage.begin()
    return stage


async def code(stage: OpenStage) -> str:
    return str((await stage.steer("codes", {"redirect_uri": CALLBACK}))["code"])


async def exchanged(stage: OpenStage, one: str, **changes: str) -> Any:
    given = {"grant_type": "authorization_code", "need_refresh_token": "true", "redirect_uri": CALLBACK, "code": one}
    return (await stage.send("auth.token.exchange", **(given | changes))).json()  # type: ignore[arg-type]


async def passes(stage: OpenStage, token: str) -> bool:
    answer = await stage.send(DETAIL, token=token, webSite="1688", orderId=stage.orders[0].order_id)
    assert answer.status_code in (200, 401)
    return answer.status_code == 200


async def test_a_code_is_good_once_and_its_answer_is_all_text(stage: OpenStage) -> None:
    one = await code(stage)
    granted = await exchanged(stage, one)
    assert all(isinstance(value, str) for value in granted.values())
    assert granted["expires_in"] == "36000"
    assert granted["refresh_token_timeout"].endswith("+0800")
    assert granted["memberId"] == f"b2b-{granted['aliId']}" == stage.orders[0].life.buyer.member_id
    assert await passes(stage, granted["access_token"])
    assert (await exchanged(stage, one))["error_code"] == "400"


async def test_a_code_lives_two_minutes_and_belongs_to_its_address(stage: OpenStage) -> None:
    one, other = await code(stage), await code(stage)
    assert (await exchanged(stage, one, redirect_uri="https://other.invalid/"))["error_code"] == "400"
    stage.advance(120)
    assert (await exchanged(stage, other))["error_code"] == "400"


async def test_without_need_refresh_token_there_is_none(stage: OpenStage) -> None:
    granted = await exchanged(stage, await code(stage), need_refresh_token="false")
    assert "refresh_token" not in granted


async def test_a_person_is_sent_back_with_a_code(stage: OpenStage) -> None:
    query = {"client_id": stage.sandbox.config.access_key, "redirect_uri": CALLBACK, "state": "s1", "site": "1688"}
    answer = await stage.client.get("/oauth/authorize", params=query)
    assert answer.status_code == 302
    place = answer.headers["location"]
    assert place.startswith(f"{CALLBACK}?code=")
    assert place.endswith("&state=s1")
    assert "access_token" in await exchanged(stage, place.split("code=")[1].split("&")[0])
    for wrong in ({"client_id": "1"}, {"redirect_uri": ""}):
        assert (await stage.client.get("/oauth/authorize", params=query | wrong)).status_code == 400


async def test_an_access_token_ends_after_ten_hours_in_the_middle_of_everything(stage: OpenStage) -> None:
    stage.advance(36_000 - 1)
    assert await passes(stage, TOKEN)
    stage.advance(1)
    assert not await passes(stage, TOKEN)


async def test_a_refresh_gives_a_new_access_token_and_no_new_refresh_token(stage: OpenStage) -> None:
    tokens = set()
    for _ in range(3):
        answer = (await stage.send("auth.token.refresh", grant_type="refresh_token", refresh_token=REFRESH)).json()
        assert "refresh_token" not in answer
        assert all(isinstance(value, str) for value in answer.values())
        tokens.add(answer["access_token"])
        assert await passes(stage, answer["access_token"])
    assert len(tokens) == 3
    assert await passes(stage, TOKEN), "the one before goes on to its own end, unless told otherwise"


async def test_a_refresh_can_be_told_to_end_the_token_before() -> None:
    stage = OpenStage(orders=1, aop={"refresh_revokes": True})
    stage.begin()
    await stage.send("auth.token.refresh", grant_type="refresh_token", refresh_token=REFRESH)
    assert not await passes(stage, TOKEN)


@pytest.mark.parametrize("wrong", [{"refresh_token": "x"}, {"grant_type": "password"}])
async def test_a_wrong_refresh_is_refused(stage: OpenStage, wrong: dict[str, Any]) -> None:
    given: dict[str, Any] = {"grant_type": "refresh_token", "refresh_token": REFRESH}
    assert (await stage.send("auth.token.refresh", **(given | wrong))).status_code in (400, 401)


async def test_a_wrong_secret_gets_no_token(stage: OpenStage) -> None:
    given = {"grant_type": "refresh_token", "refresh_token": REFRESH}
    answer = await stage.send("auth.token.refresh", **given, changes={"client_secret": "x"})
    assert answer.status_code == 401


async def test_a_refresh_token_is_extended_only_in_its_last_thirty_days_and_then_replaced(stage: OpenStage) -> None:
    assert await stage.refused("auth.token.postpone", refresh_token=REFRESH, access_token=TOKEN) == (400, "400")
    await stage.steer("tokens", {"refresh_token": REFRESH, "refresh_left_s": 30 * DAY_S - 1})
    answer = await stage.call("auth.token.postpone", refresh_token=REFRESH, access_token=TOKEN)
    assert answer["refresh_token"] not in ("", REFRESH)
    assert await stage.refused("auth.token.refresh", grant_type="refresh_token", refresh_token=REFRESH) == (401, "401")
    again = await stage.call("auth.token.refresh", grant_type="refresh_token", refresh_token=answer["refresh_token"])
    assert await passes(stage, again["access_token"])


async def test_extending_needs_a_valid_access_token(stage: OpenStage) -> None:
    await stage.steer("tokens", {"refresh_token": REFRESH, "refresh_left_s": DAY_S})
    assert await stage.refused("auth.token.postpone", refresh_token=REFRESH, access_token="x") == (401, "401")


async def test_tokens_can_be_ended_and_shortened_from_outside(stage: OpenStage) -> None:
    await stage.steer("tokens", {"access_token_s": 60.0, "expire": True})
    assert not await passes(stage, TOKEN)
    answer = (await stage.send("auth.token.refresh", grant_type="refresh_token", refresh_token=REFRESH)).json()
    assert answer["expires_in"] == "60"
    stage.advance(60)
    assert not await passes(stage, answer["access_token"])
    assert (await stage.client.get("/_sandbox/aop")).json()["tokens_refreshed"] == 1
    for wrong in ({"access_token_s": 0}, {"refresh_token": "unknown"}):
        assert (await stage.client.post("/_sandbox/aop/tokens", json=wrong)).status_code == 400
