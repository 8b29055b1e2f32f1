"""The gateway's checks in the order in which the live one makes them, and the way to an operation.

Seen in the field: the API exists, then the signature, then the user's token, then the app's permission, then the
parameters. Where the limit of calls is checked is not known: here before the parameters.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from worker.catalogue.operation import Auth, Dialect, EffectClass, Mark, Operation
from worker.catalogue.tables import operations_of
from worker.sandbox.aop.form import Form, check_required, read_form
from worker.sandbox.aop.refusals import BusinessRefusal, GatewayRefusal
from worker.sandbox.aop.shapes import SHAPES
from worker.sandbox.aop.signature import SIGNATURE, signed
from worker.sandbox.courier import encoder
from worker.sandbox.faults import Fault
from worker.sandbox.pictures import with_pictures
from worker.sandbox.sandbox import Sandbox
from worker.sandbox.spoiling import Spoiler
from worker.sandbox.traffic import OUTCOME_THROTTLED

ROOT = "/openapi"
GET_TOKEN = "system.oauth2/getToken"  # noqa: S105 - the name of an API
PROTOCOLS = ("param2", "http")
GRANTS = {"authorization_code": "http", "refresh_token": "param2"}
"""Under which protocol the catalogue has each of the two."""
THROTTLED = "gw.QosAppFrequencyLimit"
TOLD_LATE = ("SYSTEM_ERROR", "系统异常")
"""Invented words: what is said of something that was done is documented only for the payment by agreement."""


class HangUpError(Exception):
    """An action wants its caller to wait in vain."""


Action = Callable[[Sandbox, Form], Any]
"""Does what one operation does and returns the fields beside its verdict.

Raises:
    BusinessRefusal: it says no, in the operation's own shape.
    GatewayRefusal: the gateway says no.
    HangUpError: no answer comes.
"""


def throttled() -> GatewayRefusal:
    """Field: HTTP 400."""
    return GatewayRefusal(THROTTLED, "App call exceeds limited frequency")


class Voice:
    """Says throttled and failed as the operation at hand does."""

    def __init__(self, gateway: OpenGateway, operation: str) -> None:
        self._gateway = gateway
        self._operation = operation

    def throttled(self) -> Response:
        """HTTP 400, as seen in the field."""
        return self._gateway.refused(throttled())

    def refused_late(self) -> Response:
        """Documented for the payment: not successful, although the money is gone."""
        shape = SHAPES[self._operation]
        if self._operation == "1688.payment.prepare":
            return self._gateway.answered(shape.yes({"payChannel": "alipay", "paySuccess": False}))
        return self._gateway.answered(shape.no(*TOLD_LATE))


class OpenGateway:
    """Answers `/openapi/{protocol}/{version}/{namespace}/{api}/{app key}` for one sandbox."""

    def __init__(self, sandbox: Sandbox, actions: Mapping[str, Action]) -> None:
        self._sandbox = sandbox
        self._actions = actions
        self._spoiler = Spoiler(sandbox)
        self._answered = 0
        served = [operation for operation in operations_of(Dialect.ALIBABA1688) if operation.name in actions]
        self._by_path = {operation.paths["aop"].removeprefix(f"{ROOT}/"): operation for operation in served}

    def routes(self) -> list[Route]:
        """One route for all operations: which of them exist is the gateway's own answer."""
        return [Route(f"{ROOT}/{{path:path}}", self._answer, methods=["GET", "POST"])]

    async def _answer(self, request: Request) -> Response:
        api, _, app_key = str(request.path_params["path"]).rpartition("/")
        name, key = "-", "-"
        traffic = self._sandbox.traffic
        try:
            form = await read_form(request)
            operation = self._operation(api, form)
            name, key = operation.name, form.key
            traffic.calls[name] += 1
            self._check(operation, api, app_key, form)
            return await self._carry_out(request, operation, form)
        except GatewayRefusal as refusal:
            traffic.note(name, key, OUTCOME_THROTTLED if refusal.code == THROTTLED else refusal.code)
            return self.refused(refusal)

    async def _carry_out(self, request: Request, operation: Operation, form: Form) -> Response:
        """The call has passed the gateway: draw its fate, do it, and answer."""
        sandbox, name, shape = self._sandbox, operation.name, SHAPES[operation.name]
        voice = Voice(self, name)
        effect = operation.effect is not EffectClass.SAFE_READ and operation.auth is not Auth.CLIENT_SECRET
        plan = sandbox.faults.draw(name, form.key, effect=effect)
        if (spoilt := await self._spoiler.before(request, plan, voice)) is not None:
            sandbox.traffic.note(name, form.key, plan.fault.value)
            return spoilt
        try:
            data = self._actions[name](sandbox, form)
        except BusinessRefusal as refusal:
            sandbox.traffic.note(name, form.key, refusal.code)
            return self.answered(shape.no(refusal.code, refusal.text))
        except HangUpError:
            sandbox.traffic.note(name, form.key, "hung")
            return await self._spoiler.hang(request)
        sandbox.traffic.note(name, form.key, "ok" if plan.fault is Fault.NONE else plan.fault.value)
        spoilt = await self._spoiler.after(request, plan, voice)
        return spoilt or with_pictures(self.answered(shape.yes(data)), request)

    def _operation(self, api: str, form: Form) -> Operation:
        """Tokens are exchanged and refreshed under one name, told apart by `grant_type`, with both protocols."""
        protocol, _, rest = api.partition("/")
        meant = GRANTS.get(form.text("grant_type"), protocol)
        if protocol in PROTOCOLS and rest == f"1/{GET_TOKEN}":
            api = f"{meant}/{rest}"
        operation = self._by_path.get(api)
        if operation is None or (operation.mark is Mark.UNKNOWN and not self._sandbox.config.aop.unconfirmed_apis):
            raise GatewayRefusal("gw.APIUnsupported", f"the API is not supported: {api}")
        return operation

    def _check(self, operation: Operation, api: str, app_key: str, form: Form) -> None:
        config, platform = self._sandbox.config, self._sandbox.open_platform
        if app_key != config.access_key:
            raise GatewayRefusal("400", f"Invalid appKey, unsport appKey: {app_key}")
        if operation.auth is Auth.CLIENT_SECRET:
            check_required(operation, form)
            if (form.text("client_id"), form.text("client_secret")) != (config.access_key, config.access_secret):
                raise GatewayRefusal("401", "client_id or client_secret is wrong", 401)
            return
        wanted = signed(form.texts, config.access_secret, f"{api}/{app_key}")
        if not hmac.compare_digest(form.text(SIGNATURE).upper().encode(), wanted.encode()):
            raise GatewayRefusal("gw.SignatureInvalid", "Invalid signature")
        self._check_timestamp(form)
        if operation.auth is Auth.AOP_TOKEN:
            platform.tokens.check(form.texts.get("access_token"))
        if operation.name in platform.denied:
            raise GatewayRefusal("gw.APIACLDecline", "AppKey is not allowed(acl)")
        if not self._sandbox.traffic.admit():
            raise throttled()
        check_required(operation, form)

    def _check_timestamp(self, form: Form) -> None:
        """Only where one was sent."""
        given = form.texts.get("_aop_timestamp")
        if given is None:
            return
        window_ms = self._sandbox.config.aop.timestamp_window_s * 1000
        if not (given.isascii() and given.isdigit()) or abs(int(given) - self._sandbox.now_ms()) > window_ms:
            raise GatewayRefusal("400", "Request is expired.")

    def refused(self, refusal: GatewayRefusal) -> Response:
        """The gateway's own envelope."""
        self._answered += 1
        name = f"{self._sandbox.config.seed}:aop:{self._answered}"
        envelope = {
            "error_code": refusal.code,
            "error_message": refusal.text,
            "exception": refusal.text,
            "request_id": hashlib.md5(name.encode(), usedforsecurity=False).hexdigest(),
        }
        return Response(encoder.encode(envelope), refusal.status, media_type="application/json")

    def answered(self, answer: Any) -> Response:
        """HTTP 200, whatever it says."""
        return Response(encoder.encode(answer), media_type="application/json;charset=UTF-8")
