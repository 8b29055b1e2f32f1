"""`/_sandbox/aop/*`: what tests see and steer of the open platform, and the page where a person authorises the app."""

from __future__ import annotations

from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from worker.catalogue.operation import Dialect
from worker.catalogue.tables import operations_of
from worker.sandbox.aop.platform import PayWay
from worker.sandbox.control import guarded_routes
from worker.sandbox.courier import encoder
from worker.sandbox.gateway import read_body
from worker.sandbox.sandbox import Sandbox

_NAMES = frozenset(operation.name for operation in operations_of(Dialect.ALIBABA1688))


class TokenOrder(msgspec.Struct, frozen=True):
    """Body of `POST /_sandbox/aop/tokens`; lifetimes are seconds of the marketplace's time."""

    expire: bool = False
    """End every access token now."""
    access_token_s: float | None = None
    """How long those live that are given out from now on."""
    refresh_token: str | None = None
    refresh_left_s: float = 0.0
    """Leave this refresh token so long."""


class CodeOrder(msgspec.Struct, frozen=True):
    """Body of `POST /_sandbox/aop/codes`: a person agrees, and the code goes to the app's address."""

    redirect_uri: str


class Permissions(msgspec.Struct, frozen=True):
    """Body of `POST /_sandbox/aop/permissions`: names of operations of the catalogue that the app may not call."""

    denied: list[str]


class Agreement(msgspec.Struct, frozen=True):
    """Body of `POST /_sandbox/aop/agreement`."""

    signed: bool
    main_account: bool = True


class PayScript(msgspec.Struct, frozen=True):
    """Body of `POST /_sandbox/aop/payments`: how the next payments by agreement end, whatever their order."""

    next: list[PayWay]


def open_control_routes(sandbox: Sandbox) -> list[Route]:
    """The control endpoints, and `/oauth/authorize`, which on the real platform stands on another host."""

    async def authorise(request: Request) -> Response:
        given = request.query_params
        missing = [name for name in ("client_id", "redirect_uri") if not given.get(name)]
        if missing:
            return Response("缺少必要参数", 400)
        if given["client_id"] != sandbox.config.access_key:
            return Response("非法请求", 400)
        code = sandbox.open_platform.tokens.issue_code(given["redirect_uri"])
        back = urlencode({"code": code, "state": given.get("state", "")})
        return RedirectResponse(f"{given['redirect_uri']}?{back}", 302)

    return [
        Route("/oauth/authorize", authorise, methods=["GET"]),
        *guarded_routes(
            sandbox,
            (
                ("GET", "/_sandbox/aop", _state),
                ("GET", "/_sandbox/aop/failed-messages", _failed),
                ("POST", "/_sandbox/aop/tokens", _tokens),
                ("POST", "/_sandbox/aop/codes", _codes),
                ("POST", "/_sandbox/aop/permissions", _permissions),
                ("POST", "/_sandbox/aop/agreement", _agreement),
                ("POST", "/_sandbox/aop/payments", _payments),
            ),
        ),
    ]


def _json(body: object, status: int = 200) -> Response:
    return Response(encoder.encode(body), status, media_type="application/json")


async def _state(sandbox: Sandbox, _request: Request) -> Response:
    platform = sandbox.open_platform
    queue = platform.queue.all.values()
    return _json(
        {
            "push": sandbox.config.push,
            "agreement": platform.agreement,
            "main_account": platform.main_account,
            "denied": sorted(platform.denied),
            "access_token_s": platform.tokens.access_token_s,
            "tokens_refreshed": platform.tokens.refreshed,
            "pay_tries": dict(platform.pay_tries),
            "pay_script": list(platform.pay_script),
            "out_order_ids": platform.out_order_ids,
            "failed_messages": len(queue),
            "failed_confirmed": sum(message.confirmed_at is not None for message in queue),
        }
    )


async def _failed(sandbox: Sandbox, _request: Request) -> Response:
    """Every message that ever failed, with when it was confirmed."""
    return _json({"messages": list(sandbox.open_platform.queue.all.values())})


async def _tokens(sandbox: Sandbox, request: Request) -> Response:
    wanted = msgspec.json.decode(await read_body(request), type=TokenOrder)
    tokens = sandbox.open_platform.tokens
    if wanted.access_token_s is not None:
        if not wanted.access_token_s > 0:
            raise ValueError("access_token_s: expected more than 0")
        tokens.access_token_s = wanted.access_token_s
    if wanted.refresh_token is not None and not tokens.shorten_refresh(wanted.refresh_token, wanted.refresh_left_s):
        raise ValueError("refresh_token: there is no such token")
    if wanted.expire:
        tokens.expire()
    return await _state(sandbox, request)


async def _codes(sandbox: Sandbox, request: Request) -> Response:
    wanted = msgspec.json.decode(await read_body(request), type=CodeOrder)
    return _json({"code": sandbox.open_platform.tokens.issue_code(wanted.redirect_uri)})


async def _permissions(sandbox: Sandbox, request: Request) -> Response:
    wanted = msgspec.json.decode(await read_body(request), type=Permissions)
    strange = sorted(set(wanted.denied) - _NAMES)
    if strange:
        raise ValueError(f"denied: no operations of the open platform: {', '.join(strange)}")
    sandbox.open_platform.denied = set(wanted.denied)
    return await _state(sandbox, request)


async def _agreement(sandbox: Sandbox, request: Request) -> Response:
    wanted = msgspec.json.decode(await read_body(request), type=Agreement)
    sandbox.open_platform.agreement = wanted.signed
    sandbox.open_platform.main_account = wanted.main_account
    return await _state(sandbox, request)


async def _payments(sandbox: Sandbox, request: Request) -> Response:
    wanted = msgspec.json.decode(await read_body(request), type=PayScript)
    sandbox.open_platform.pay_script.clear()
    sandbox.open_platform.pay_script.extend(wanted.next)
    return await _state(sandbox, request)
