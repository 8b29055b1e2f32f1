"""Links to pay, which people open while they are logged in: they may lead to a cashier of the marketplace alone."""

from __future__ import annotations

import re

MAX_PAY_URL = 2_000
_LINK = re.compile(r"https://([A-Za-z0-9.-]+)(?::443)?(?:[/?#][!-~]*)?")
_PRINTABLE = re.compile(r"[!-~]+")


class PayLinks:
    """Which links may be shown.

    `hosts`: domains that may be led to, with what is below them, over https. `local`: `host:port` of a twin on this
    machine, over plain http.
    """

    def __init__(self, hosts: tuple[str, ...], local: tuple[str, ...] = ()) -> None:
        self._hosts = tuple(host.lower().strip(".") for host in hosts)
        self._local = local

    def accepts(self, url: str) -> bool:
        """Tell whether a person may be sent there. No user name, no other port, no backslash hides the real host."""
        if len(url) >= MAX_PAY_URL:
            return False
        found = _LINK.fullmatch(url)
        if found is not None:
            host = found[1].lower()
            return any(host == known or host.endswith(f".{known}") for known in self._hosts)
        local = any(url.startswith(f"http://{address}/") for address in self._local)
        return local and _PRINTABLE.fullmatch(url) is not None
