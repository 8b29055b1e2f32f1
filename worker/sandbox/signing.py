"""The signature of calls and of callbacks.

MD5(access key + timestamp + nonce + secret), upper-case hex; body, path and user id are not signed. Inferred from
public client code: the manual's own paragraph was not readable. That callbacks carry the same headers is inferred too.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from worker.sandbox.codes import Refused
from worker.sandbox.config import SandboxConfig

WINDOW_MS = 600_000
"""Documented: a timestamp may differ from the server's UTC by at most 600 s."""

MILLISECONDS_ABOVE = 10**11
"""Both units are in use; a larger figure is milliseconds."""


def sign(access_key: str, timestamp: str, nonce: str, secret: str) -> str:
    """The signature header's value."""
    text = access_key + timestamp + nonce + secret
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest().upper()


def check_call(headers: Mapping[str, str], config: SandboxConfig, now_ms: int) -> None:
    """Let a call in, or say why not.

    Raises:
        Refused: with one of the 401xx codes.
    """
    missing = [name for name in ("access-key", "timestamp", "user-id", "signature") if not headers.get(name)]
    if missing:
        raise Refused(40100, f"missing header {', '.join(missing)}")
    if headers["access-key"] != config.access_key:
        raise Refused(40101)
    timestamp = headers["timestamp"]
    wanted = sign(config.access_key, timestamp, headers.get("nonce-str", ""), config.access_secret)
    if not hmac.compare_digest(headers["signature"].encode(), wanted.encode()):
        raise Refused(40102)
    if not _is_fresh(timestamp, now_ms):
        raise Refused(40103)
    if headers["user-id"] != config.user_id:
        raise Refused(40104)


def check_query(query: Mapping[str, str], headers: Mapping[str, str], config: SandboxConfig, now_ms: int) -> None:
    """Let a call to the warehouse in: `timestamp` and `sign` in the query, by the same formula (inferred).

    The access key is the configured one: these pages show none.

    Raises:
        Refused: with one of the 401xx codes.
    """
    missing = [name for name in ("timestamp", "sign") if not query.get(name)]
    if missing:
        raise Refused(40100, f"missing parameter {', '.join(missing)}")
    timestamp = query["timestamp"]
    nonces = {"", query.get("nonce-str") or headers.get("nonce-str", "")}
    known = [sign(config.access_key, timestamp, nonce, config.access_secret) for nonce in sorted(nonces)]
    if not any(hmac.compare_digest(query["sign"].encode(), wanted.encode()) for wanted in known):
        raise Refused(40102)
    if not _is_fresh(timestamp, now_ms):
        raise Refused(40103)


def _is_fresh(timestamp: str, now_ms: int) -> bool:
    if not (timestamp.isascii() and timestamp.isdigit()):
        return False
    stamped = int(timestamp)
    stamped_ms = stamped if stamped > MILLISECONDS_ABOVE else stamped * 1000
    return abs(stamped_ms - now_ms) <= WINDOW_MS


def callback_headers(config: SandboxConfig, now_ms: int, nonce: str) -> dict[str, str]:
    """The five headers of a callback."""
    timestamp = str(now_ms)
    return {
        "access-key": config.access_key,
        "timestamp": timestamp,
        "nonce-str": nonce,
        "user-id": config.user_id,
        "signature": sign(config.access_key, timestamp, nonce, config.access_secret),
    }
