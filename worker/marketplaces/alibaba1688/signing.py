"""HMAC-SHA1 over sorted pairs, as the platform's own SDKs compute it (documented: sysSignature; field: the SDKs)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable


def call_signature(url_path: str, params: Iterable[tuple[str, str]], secret: str) -> str:
    """Return `_aop_signature` of a call.

    `url_path` from `param2` on, without a slash in front. The SDKs sort the joined `key + value` texts, not the keys.
    """
    return _digest(url_path + "".join(sorted(name + value for name, value in params)), secret)


def push_signature(params: Iterable[tuple[str, str]], secret: str) -> str:
    """Return `_aop_signature` of a pushed form: the same without a path."""
    return _digest("".join(sorted(name + value for name, value in params)), secret)


def matches(given: str, expected: str) -> bool:
    """Compare in constant time; the case of the hex digits does not count."""
    return hmac.compare_digest(given.upper().encode("utf-8", "replace"), expected.encode())


def _digest(signed: str, secret: str) -> str:
    return hmac.new(secret.encode(), signed.encode("utf-8", "surrogatepass"), hashlib.sha1).hexdigest().upper()
