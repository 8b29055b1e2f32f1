"""Whether a peer of a connection is this machine itself."""

from __future__ import annotations

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def peer_address(host: str | None) -> Address | None:
    """Return a peer's address; an IPv4 peer of an IPv6 socket (`::ffff:10.0.0.1`) is an IPv4 peer."""
    try:
        address = ipaddress.ip_address(host or "")
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else address


def is_loopback(host: str | None) -> bool:
    """Tell whether a peer is this machine itself."""
    address = peer_address(host)
    return address is not None and address.is_loopback
