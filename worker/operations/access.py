"""Who asks: by a bearer token, or this machine itself where reading needs none. Pure: headers in, a verdict out."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from worker.domain.operators import Actor, Role
from worker.loopback import is_loopback
from worker.operators import Operators

Headers = Iterable[tuple[bytes, bytes]]
"""As ASGI gives them: names in lower case."""

THIS_MACHINE = Actor("this-machine", frozenset({Role.VIEWER}))
"""Who asks from here without a token."""
_FORWARDED = frozenset({b"forwarded", b"via", b"x-real-ip", b"x-client-ip", b"true-client-ip", b"cf-connecting-ip"})
_SET_A_TOKEN = "set ORDERSYNC_API_TOKEN and send it as 'Authorization: Bearer ...'"  # noqa: S105 - an advice


class Denied(msgspec.Struct, frozen=True):
    """Why a request is refused, and with which HTTP status."""

    status: int
    code: str
    message: str


class Access:
    """The rule of one server. Without ORDERSYNC_API_TOKEN this machine may read without a token, and only directly."""

    def __init__(self, operators: Operators) -> None:
        self._operators = operators

    def admit(self, peer: str | None, headers: Headers) -> Actor | Denied:
        """Return who asks, or why the request is refused. `peer` is the address of the connection."""
        held = list(headers)
        given = [value for name, value in held if name == b"authorization"]
        if not self._operators.guards_reading and not (given and self._operators.people):
            return _local_only(peer, held) or THIS_MACHINE
        if len(given) == 1:
            actor = self._bearer(given[0])
            if actor is not None:
                return actor
        return Denied(401, "unauthorized", "this needs a token that is known here, sent as 'Authorization: Bearer ...'")

    def _bearer(self, authorization: bytes) -> Actor | None:
        scheme, _, token = authorization.partition(b" ")
        return self._operators.authenticate(token.strip()) if scheme.lower() == b"bearer" else None


def _local_only(peer: str | None, headers: list[tuple[bytes, bytes]]) -> Denied | None:
    """Without a token: behind a proxy every peer looks like loopback, and a browser can be led here by a DNS name."""
    if not is_loopback(peer):
        return Denied(403, "forbidden", f"no API token is configured, so only this machine is served; {_SET_A_TOKEN}")
    if any(name in _FORWARDED or name.startswith(b"x-forwarded-") for name, _ in headers):
        return Denied(403, "forbidden", f"forwarded requests are not served without an API token; {_SET_A_TOKEN}")
    if not all(_is_local_host(value) for name, value in headers if name == b"host"):
        return Denied(403, "forbidden", f"without an API token, call http://127.0.0.1 or localhost; or {_SET_A_TOKEN}")
    return None


def _is_local_host(value: bytes) -> bool:
    """Tell whether a Host header names this machine: `localhost`, `127.0.0.1:8080`, `[::1]:8080`."""
    host = value.decode("latin-1").strip().lower()
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return name == "localhost" or is_loopback(name)
