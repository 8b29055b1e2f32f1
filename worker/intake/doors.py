"""How a callback proves itself. Compared in constant time; what is refused is counted and never stored."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping
from enum import StrEnum

from worker.catalogue.operation import Dialect
from worker.domain.clock import Millis
from worker.loopback import is_loopback, peer_address
from worker.marketplaces.alibaba1688.callbacks import verify as push_is_signed
from worker.marketplaces.pandapon.signing import TIMESTAMP_WINDOW_MS, signature_matches
from worker.marketplaces.values import instant

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
MAX_HEADER_CHARS = 200
_FORWARDED = frozenset(
    {b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip"}
)
"""Who sends one of these is a proxy: its own address says nothing about where the call came from."""


class DoorKind(StrEnum):
    """What proves a callback. `signature` is inferred: the platform documents none for callbacks."""

    TOKEN = "token"  # noqa: S105 - the name of a method, not a secret
    SIGNATURE = "signature"
    NONE = "none"


class Refusal(StrEnum):
    """Why a callback is not let in."""

    NO_SUCH_ADDRESS = "no_such_address"
    BAD_SIGNATURE = "bad_signature"
    FOREIGN_NETWORK = "foreign_network"


class Door:
    """One account's way in."""

    def __init__(
        self,
        account: str,
        kind: DoorKind,
        *,
        token: str = "",
        access_key: str = "",
        access_secret: str = "",
        networks: tuple[str, ...] = (),
        dialect: Dialect = Dialect.PANDAPON,
    ) -> None:
        if kind is DoorKind.TOKEN and not token:
            raise ValueError(f"the door of {account} asks for a token and has none: everybody would have the key")
        if kind is DoorKind.SIGNATURE and not (access_key and access_secret):
            raise ValueError(f"the door of {account} asks for a signature and has no key or secret to check it with")
        self.account = account
        self._kind = kind
        self._token = token.encode()
        self._access_key = access_key
        self._access_secret = access_secret
        self._dialect = dialect
        self._networks: tuple[Network, ...] = tuple(ipaddress.ip_network(net, strict=False) for net in networks)

    def check_address(self, token: str | None, client_host: str | None) -> Refusal | None:
        """Check what is known before the body is read: the token in the path and where the call comes from."""
        if self._kind is DoorKind.TOKEN:
            given = (token or "").encode("utf-8", "surrogatepass")
            if not hmac.compare_digest(given, self._token):
                return Refusal.NO_SUCH_ADDRESS
        elif token is not None:
            return Refusal.NO_SUCH_ADDRESS
        if self._kind is DoorKind.NONE and not is_loopback(client_host):
            return Refusal.FOREIGN_NETWORK
        if self._networks and not self._is_known_network(client_host):
            return Refusal.FOREIGN_NETWORK
        return None

    def check_signature(self, headers: Mapping[bytes, bytes], body: bytes, now: Millis) -> Refusal | None:
        """Check the dialect's signature.

        The 1688 open platform signs every push (documented), so it is always checked there, whatever else the door asks
        for. PandaPon's five headers are inferred, and checked where the door asks for them. A door that trusts this
        machine alone does not trust a proxy on it, which speaks for anybody.
        """
        if self._kind is DoorKind.NONE:
            return None if _FORWARDED.isdisjoint(headers) else Refusal.FOREIGN_NETWORK
        if self._dialect is Dialect.ALIBABA1688:
            # An empty body says nothing and is kept nowhere: somebody looks whether the address answers.
            return None if not body or push_is_signed(body, self._access_secret) else Refusal.BAD_SIGNATURE
        if self._kind is not DoorKind.SIGNATURE:
            return None
        given = {name: _header(headers, name) for name in (b"access-key", b"timestamp", b"nonce-str", b"signature")}
        sent_at = instant(given[b"timestamp"])
        fresh = sent_at is not None and abs(now - sent_at) <= TIMESTAMP_WINDOW_MS
        known = hmac.compare_digest(given[b"access-key"].encode(), self._access_key.encode())
        matches = signature_matches(
            given[b"signature"], self._access_key, given[b"timestamp"], given[b"nonce-str"], self._access_secret
        )
        return None if fresh and known and matches else Refusal.BAD_SIGNATURE

    def _is_known_network(self, client_host: str | None) -> bool:
        address = peer_address(client_host)
        return address is not None and any(address in network for network in self._networks)


def _header(headers: Mapping[bytes, bytes], name: bytes) -> str:
    return headers.get(name, b"").decode("latin-1")[:MAX_HEADER_CHARS]
