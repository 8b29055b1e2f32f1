"""Who may read: a bearer token where one is configured, else this machine alone. Pure: headers in, a verdict out."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Iterable

import msgspec

Headers = Iterable[tuple[bytes, bytes]]
"""As ASGI gives them: names in lower case."""

_FORWARDED = frozenset({b"forwarded", b"via", b"x-real-ip", b"x-client-ip", b"true-client-ip", b"cf-connecting-ip"})
_SET_A_TOKEN = "set ORDERSYNC_API_TOKEN and send it as 'Authorization: Bearer ...'"  # noqa: S105 - an advice


class Denied(msgspec.Struct, frozen=True):
    """Why a request is refused, and with which HTTP status."""

    status: int
    code: str
    message: str


class Access:
    """The rule of one server. `token` None: only this machine is served, and only directly."""

    def __init__(self, token: str | None) -> None:
        if token is not None and not token.strip():
            raise ValueError("an empty API token would let everybody in; leave it out to serve this machine only")
        self._token = None if token is None else token.strip().encode()

    def check(self, peer: str | None, headers: Headers) -> Denied | None:
        """Return why this request is refused, None if it is served. `peer` is the address of the connection."""
        if self._token is None:
            return _local_only(peer, list(headers))
        given = [value for name, value in headers if name == b"authorization"]
        if len(given) == 1 and _matches(given[0], self._token):
            return None
        return Denied(401, "unauthorized", "this needs the API token, sent as 'Authorization: Bearer ...'")


def _matches(authorization: bytes, token: bytes) -> bool:
    scheme, _, given = authorization.partition(b" ")
    return scheme.lower() == b"bearer" and hmac.compare_digest(given.strip(), token)


def _local_only(peer: str | None, headers: list[tuple[bytes, bytes]]) -> Denied | None:
    """Without a token: behind a proxy every peer looks like loopback, and a browser can be led here by a DNS name."""
    if not _is_loopback(peer):
        return Denied(403, "forbidden", f"no API token is configured, so only this machine is served; {_SET_A_TOKEN}")
    if any(name in _FORWARDED or name.startswith(b"x-forwarded-") for name, _ in headers):
        return Denied(403, "forbidden", f"forwarded requests are not served without an API token; {_SET_A_TOKEN}")
    if not all(_is_local_host(value) for name, value in headers if name == b"host"):
        return Denied(403, "forbidden", f"without an API token, call http://127.0.0.1 or localhost; or {_SET_A_TOKEN}")
    return None


def _is_loopback(address: str | None) -> bool:
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return False
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None  # on a dual-stack socket
    return (mapped or parsed).is_loopback


def _is_local_host(value: bytes) -> bool:
    """Tell whether a Host header names this machine: `localhost`, `127.0.0.1:8080`, `[::1]:8080`."""
    host = value.decode("latin-1").strip().lower()
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return name == "localhost" or _is_loopback(name)
