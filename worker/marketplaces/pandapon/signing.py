"""The request signature: MD5 over key, time, nonce and secret (field: a public client; the manual's is unknown)."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import string

from worker.domain.clock import Millis

_NONCE_ALPHABET = string.ascii_letters + string.digits
NONCE_LENGTH = 32
TIMESTAMP_WINDOW_MS: Millis = 600_000
"""How far a request's time may be from the server's (documented)."""


def signature(access_key: str, timestamp: str, nonce: str, secret: str) -> str:
    """Return the upper-case hex MD5 that the five-header scheme asks for. Body and path are not signed."""
    digest = hashlib.md5(f"{access_key}{timestamp}{nonce}{secret}".encode(), usedforsecurity=False)
    return digest.hexdigest().upper()


def signature_matches(given: str, access_key: str, timestamp: str, nonce: str, secret: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(
        given.upper().encode("utf-8", "replace"), signature(access_key, timestamp, nonce, secret).encode()
    )


def new_nonce() -> str:
    """Return 32 random letters and digits."""
    return "".join(secrets.choice(_NONCE_ALPHABET) for _ in range(NONCE_LENGTH))
