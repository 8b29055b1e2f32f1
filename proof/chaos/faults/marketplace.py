"""What happens to the marketplace: it is slow, silent, unreachable, or takes a call and is not heard."""

from __future__ import annotations

from proof.chaos.faults.fault import Fault
from proof.chaos.schedule import Kind, Lane
from proof.rig import Link

SLOW_S = 0.8
"""Added to every piece both ways: close to what a call may take (3 s here), and with some pieces beyond it."""


class MarketplaceNetwork(Fault):
    """The network from the workers to the marketplace is like `link`; its callbacks go on arriving."""

    link = Link.CUT

    async def begin(self) -> str:
        """Disturb it."""
        self.rig.marketplace_proxy.set(self.link, SLOW_S)
        return "workers to marketplace"

    async def end(self) -> None:
        """Heal it."""
        self.rig.marketplace_proxy.set(Link.PASS)


class MarketplaceCut(MarketplaceNetwork):
    """Every call is reset."""

    kind = Kind("marketplace cut off", Lane.PARTS, (3.0, 12.0))


class MarketplaceSilent(MarketplaceNetwork):
    """Calls get no answer, and arrive late."""

    kind = Kind("marketplace silent", Lane.PARTS, (4.0, 10.0))
    link = Link.BLACK_HOLE


class MarketplaceUnheard(MarketplaceNetwork):
    """Calls take effect and their answers are lost: money may have moved."""

    kind = Kind("marketplace unheard", Lane.PARTS, (4.0, 10.0))
    link = Link.HALF_OPEN


class MarketplaceSlow(MarketplaceNetwork):
    """Calls take long."""

    kind = Kind("marketplace slow", Lane.PARTS, (5.0, 12.0))
    link = Link.DELAY
