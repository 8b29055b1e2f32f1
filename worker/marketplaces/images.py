"""Fetches the picture to search by. Its address comes from outside, so it may lead nowhere but to picture servers."""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import socket
from collections.abc import Awaitable, Callable
from urllib.parse import SplitResult, urlsplit, urlunsplit

import httpx2 as httpx

from worker.marketplaces.http import certificates
from worker.marketplaces.port import RejectedError, RetryableError

MAX_IMAGE_BYTES = 1_000_000
"""The search takes pictures below 1 MB (documented upstream for vouchers, seen for searches)."""
TIMEOUT_S = 10.0
_HTTP, _HTTPS = 80, 443
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

Resolve = Callable[[str], Awaitable[list[str]]]


async def resolve(host: str) -> list[str]:
    """Return a host's addresses. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, _HTTPS, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


def is_public(address: str) -> bool:
    """Tell whether an address stands on the public net; so must the IPv4 address that an IPv6 one carries inside."""
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv4Address):
        return parsed.is_global
    inside = [parsed.ipv4_mapped, parsed.sixtofour, *(parsed.teredo or ())]
    if parsed in _NAT64:
        inside.append(ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF))
    return parsed.is_global and all(one is None or one.is_global for one in inside)


class ImageFetcher:
    """Gets pictures from known hosts alone.

    `hosts`: domains whose own and sub-domains may be asked, if they resolve to public addresses, over https alone:
    addresses that begin with `http:` or `//`, as orders have them, are asked over https, too. `local_hosts`:
    `host:port` of a twin on this machine, over plain http. Redirects are not followed.
    """

    def __init__(
        self, hosts: tuple[str, ...], local_hosts: tuple[str, ...] = (), *, resolve: Resolve = resolve
    ) -> None:
        self._hosts = hosts
        self._local_hosts = frozenset(local_hosts)
        self._resolve = resolve
        self._http = httpx.AsyncClient(
            timeout=TIMEOUT_S,
            verify=certificates(),
            trust_env=False,
            follow_redirects=False,
            headers={"accept": "image/*", "accept-encoding": "identity"},
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def fetch_base64(self, url: str) -> str:
        """Return a picture as base64 text. Raises like `fetch`."""
        return base64.b64encode(await self.fetch(url)).decode("ascii")

    async def fetch(self, url: str) -> bytes:
        """Return a picture's bytes.

        Raises:
            RejectedError: the address or the answer is no picture's; asking again does not help.
            RetryableError: no answer in time.
        """
        try:
            async with asyncio.timeout(TIMEOUT_S), self._http.stream("GET", await self._checked(url)) as response:
                return await _picture(response)
        except (httpx.HTTPError, TimeoutError, OSError) as error:
            raise RetryableError(f"the picture could not be fetched: {type(error).__name__}") from error
        except (httpx.InvalidURL, UnicodeError) as error:
            raise RejectedError("the picture's address cannot be read") from error

    async def _checked(self, url: str) -> str:
        """Return the address to ask, if it may be asked."""
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").lower(), parts.port
        except ValueError as error:
            raise RejectedError("the picture's address cannot be read") from error
        if parts.scheme == "http" and f"{host}:{port}" in self._local_hosts and parts.username is None:
            return url
        if not self._is_known(parts, host, port):
            raise RejectedError(f"pictures are only fetched from {', '.join(self._hosts)} over https")
        if not all(is_public(address) for address in await self._resolve(host)):
            raise RejectedError("the picture's server does not stand on the public net")
        return urlunsplit(("https", host, parts.path, parts.query, ""))

    def _is_known(self, parts: SplitResult, host: str, port: int | None) -> bool:
        usual = {"https": _HTTPS, "http": _HTTP, "": None}
        if parts.scheme not in usual or port not in (None, usual[parts.scheme]):
            return False
        return parts.username is None and any(host == name or host.endswith(f".{name}") for name in self._hosts)


async def _picture(response: httpx.Response) -> bytes:
    """Return the body as it came, never unpacked: a small packet must not become a large one."""
    if response.status_code != httpx.codes.OK:
        raise RejectedError(f"the picture's server answered HTTP {response.status_code}")
    packed = response.headers.get("content-encoding", "identity") != "identity"
    if packed or not response.headers.get("content-type", "").lower().startswith("image/"):
        raise RejectedError("the picture's server answered something that is no picture")
    content = bytearray()
    async for chunk in response.aiter_raw():
        content += chunk
        if len(content) > MAX_IMAGE_BYTES:
            raise RejectedError(f"the picture is larger than {MAX_IMAGE_BYTES} bytes")
    return bytes(content)
