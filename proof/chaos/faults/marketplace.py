"""What happens to the marketplace: it is slow, silent, unreachable, or takes a call and is not heard."""

from __future__ import annotations

from collections.abc import Sequence

from proof.chaos.faults.fault import NetworkFault
from proof.chaos.schedule import Kind, Lane
from proof.rig import Link, TcpProxy


class MarketplaceNetwork(NetworkFault):
    """Disturbs the network from the workers to the marketplace; its callbacks go on arriving."""

    slow_s = 0.8
    """Close to what a call may take (3 s here), and with some pieces beyond it."""
    between = "workers to marketplace"

    @property
    def proxies(self) -> Sequence[TcpProxy]:
        """The one before the marketplace."""
        return [self.rig.marketplace_proxy]


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
