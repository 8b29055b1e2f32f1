"""A client of the open platform's twin that is a plain function, and a stage to play on."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import httpx2
import msgspec

from tests.sandbox.stage import Stage, exact
from worker.catalogue.operation import Auth, Dialect
from worker.catalogue.tables import find
from worker.sandbox import AopConfig
from worker.sandbox.aop.signature import SIGNATURE, signed
from worker.sandbox.courier import Push
from worker.sandbox.order import Order

TOKEN = AopConfig().access_token
LASTING = {"access_token_s": 1e9}
"""Tests that let days go by are not about tokens."""
CALLBACK = "https://app.invalid/authorised"


class OpenStage(Stage):
    """A sandbox that pushes in the open platform's words, under a clock that moves by hand."""

    def __init__(self, *args: Any, aop: dict[str, Any] | None = None, **config: Any) -> None:
        super().__init__(*args, push="alibaba1688", aop=AopConfig(**(LASTING | (aop or {}))), **config)

    async def send(
        self, name: str, /, *, token: str | None = TOKEN, changes: dict[str, str] | None = None, **params: Any
    ) -> httpx2.Response:
        """One signed call of an operation; `changes` are made after signing, an empty text takes a parameter away."""
        operation = find(Dialect.ALIBABA1688, name)
        path = f"{operation.paths['aop']}/{self.sandbox.config.access_key}"
        form = {name: as_text(value) for name, value in params.items()}
        if operation.auth is Auth.CLIENT_SECRET:
            form |= {"client_id": self.sandbox.config.access_key, "client_secret": self.sandbox.config.access_secret}
        else:
            form |= {"access_token": token} if operation.auth is Auth.AOP_TOKEN and token is not None else {}
            form[SIGNATURE] = signed(form, self.sandbox.config.access_secret, path.removeprefix("/openapi/"))
        sent = {name: value for name, value in (form | (changes or {})).items() if value}
        return await self.client.post(path, data=sent)

    async def call(self, name: str, /, **params: Any) -> Any:
        """The answer of a call that passes the gateway, numbers kept exact."""
        answer = await self.send(name, **params)
        assert answer.status_code == 200, answer.text
        return exact.decode(answer.content)

    async def refused(self, name: str, /, **params: Any) -> tuple[int, str]:
        """HTTP status and code of a call that the gateway refuses."""
        answer = await self.send(name, **params)
        envelope = exact.decode(answer.content)
        assert set(envelope) == {"error_code", "error_message", "exception", "request_id"}
        return answer.status_code, envelope["error_code"]

    async def steer(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Tell the sandbox something at `/_sandbox/aop/…` and return what it says."""
        answer = await self.client.post(f"/_sandbox/aop/{path}", json=body)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def one(self, **wanted: Any) -> Order:
        """The first order that is as wanted."""
        return next(
            order for order in self.orders if all(getattr(order, name) == value for name, value in wanted.items())
        )


def as_text(value: Any) -> str:
    """A parameter as the form wants it."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def form_of(stage: OpenStage, push: Push) -> dict[str, str]:
    """The fields of a pushed form as its receiver reads them."""
    body, headers = stage.sandbox.outbox.courier.written(push, stage.clock.ms, "")
    assert headers["Content-Type"].startswith("application/x-www-form-urlencoded")
    return dict(parse_qsl(body.decode(), strict_parsing=True))


def message_of(stage: OpenStage, push: Push) -> dict[str, Any]:
    """The pushed envelope, its data as an object whichever way it travelled."""
    message: dict[str, Any] = exact.decode(form_of(stage, push)["message"])
    if isinstance(message["data"], str):
        message["data"] = exact.decode(message["data"])
    return message
