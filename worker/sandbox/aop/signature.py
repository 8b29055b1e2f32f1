"""`_aop_signature`: HMAC-SHA1 over the sorted pairs, upper-case hex (documented: sysSignature).

The platform's own SDKs sort the joined texts of key and value, not the keys; the two differ where one key begins with
another.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

SIGNATURE = "_aop_signature"


def signed(params: Mapping[str, str], secret: str, url_path: str = "") -> str:
    """The signature of a call (`url_path` from its protocol on, e.g. `param2/1/system/currentTime/1`) or of a push."""
    pairs = sorted((key + value).encode() for key, value in params.items() if key != SIGNATURE)
    digest = hmac.new(secret.encode(), url_path.encode() + b"".join(pairs), hashlib.sha1)
    return digest.hexdigest().upper()
