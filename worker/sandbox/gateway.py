"""The road of every API call: signature, parameters, fate, action, envelope."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from worker.sandbox.codes import MESSAGES, PAY_FAILED, SUCCESS, THROTTLED, Refused
from worker.sandbox.courier import encoder
from worker.sandbox.faults import Fault
from worker.sandbox.pictures import with_pictures
from worker.sandbox.sandbox import Sandbox
from worker.sandbox.spoiling import Spoiler
from worker.sandbox.traffic import OUTCOME_THROTTLED

MAX_BODY = 65_536
DEVELOP_ID = "1110890638347330001"


class Call(Protocol):
    """A parsed call."""

    @property
    def key(self) -> str:
        """The order id as text, or a word for calls that are about no single order."""


C = TypeVar("C", bound=Call)


class Gateway:
    """Answers calls for one sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self._spoiler = Spoiler(sandbox)
        self._answered = 0

    async def serve(
        self,
        request: Request,
        operation: str,
        read: Callable[[Request], Awaitable[C]],
        act: Callable[[C], object],
        *,
        check: Callable[[Request], None],
        effect: bool,
    ) -> Response:
        """One call from beginning to end; refused calls meet no faults. `effect`: it does more than read."""
        sandbox = self.sandbox
        sandbox.traffic.calls[operation] += 1
        key = "-"
        try:
            check(request)
            call = await read(request)
            key = call.key
            if not sandbox.traffic.admit():
                sandbox.traffic.note(operation, key, OUTCOME_THROTTLED)
                return self.throttled()
            plan = sandbox.faults.draw(operation, key, effect=effect)
            if (spoilt := await self._spoiler.before(request, plan, self)) is not None:
                sandbox.traffic.note(operation, key, plan.fault.value)
                return spoilt
            data = act(call)
        except Refused as refusal:
            sandbox.traffic.note(operation, key, str(refusal.code))
            return self._envelope(refusal.code, refusal.text)
        sandbox.traffic.note(operation, key, "ok" if plan.fault is Fault.NONE else plan.fault.value)
        spoilt = await self._spoiler.after(request, plan, self)
        return spoilt or with_pictures(self._envelope(SUCCESS, MESSAGES[SUCCESS], data), request)

    def throttled(self) -> Response:
        """Say that the caller asks too much."""
        return self._envelope(THROTTLED, MESSAGES[THROTTLED])

    def refused_late(self) -> Response:
        """Say "failed" of something that was done."""
        return self._envelope(PAY_FAILED, MESSAGES[PAY_FAILED])

    def _envelope(self, code: int, text: str, data: object = None) -> Response:
        self._answered += 1
        name = f"{self.sandbox.config.seed}:{self._answered}"
        request_id = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
        envelope = {"requestId": request_id, "code": code, "developId": DEVELOP_ID, "msg": text, "data": data}
        return Response(encoder.encode(envelope), media_type="application/json")


async def read_body(request: Request, most: int = MAX_BODY) -> bytes:
    """The body, up to the limit.

    Raises:
        Refused: it is longer, or the client went away while sending it.
    """
    body = b""
    try:
        async for part in request.stream():
            body += part
            if len(body) > most:
                raise Refused(40004, f"more than {most} bytes")
    except ClientDisconnect as gone:
        raise Refused(40001, "incomplete") from gone
    return body
