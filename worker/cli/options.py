"""Options of commands that have many; cyclopts reads them off the fields."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

FaultLevel = Literal["none", "usual", "hostile"]
PushDialect = Literal["pandapon", "alibaba1688"]
SandboxPush = Literal["pandapon", "xport", "alibaba1688"]


@dataclass(frozen=True, kw_only=True)
class SandboxOptions:
    """How the sandbox runs."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = 8090
    """Port to listen on; 0 takes a free one."""
    orders: int = 200
    """How many orders live in it."""
    taobao_orders: int = 0
    """How many purchase orders on Taobao live in it, besides."""
    large_share: float = 0.0
    """Share of orders with 60 lines in 7 parcels."""
    buyer_confirms: bool = True
    """A person confirms receipts at the marketplace's own page; without, only calls do."""
    seed: int = 1
    """The same seed plays the same lives."""
    faults: FaultLevel = "usual"
    """How nasty it is."""
    lost_callbacks: float | None = None
    """Share of callbacks that never arrive (default: by the faults)."""
    stale_reads_s: float | None = None
    """Reads show the state of up to so many real seconds ago (default: by the faults)."""
    render_valid_s: float = 60.0
    """Real seconds for which a freight preview can be booked."""
    speed: float = 20_000.0
    """How many times faster than reality durations run."""
    callback_url: str | None = None
    """Where callbacks go, e.g. http://127.0.0.1:8080/callbacks/main/TOKEN. Lives start at once if it is given."""
    push: SandboxPush = "pandapon"
    """The API in whose words callbacks are pushed; both APIs are always served."""
    access_token_s: float = 36_000.0
    """How long an access token of the 1688 open platform lives (divided by the speed, as all durations)."""
    access_key: str = "58c0201dfdf148eca63cbf6bb5e7cf03"
    """The access key and the app key that it accepts."""
    access_secret_file: Path | None = None
    """File with the secret it accepts; default: the well-known word `sandbox-secret`."""
    open_control: bool = False
    """Serve the control pages to other hosts, too."""
