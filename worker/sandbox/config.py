"""What a sandbox is told before it starts."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

from worker.sandbox.aop.config import AopConfig
from worker.sandbox.faults import LEVELS, FaultLevel

DEMO_SPEED = 20_000.0
"""At this speed a whole life (at most about six days after payment) is over in about 25 real seconds."""

MAX_ORDERS = 50_000
"""The list sorts every order on each call; beyond this a twin held in memory stops being useful."""

FaultName = Literal["none", "usual", "hostile"]
PushName = Literal["pandapon", "xport", "alibaba1688"]


class SandboxConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that decides what a sandbox plays.

    Durations are seconds of the marketplace's time and are divided by `speed`, except where a field says that it is
    real time. Timestamps are never scaled: they are the wall clock's "now", so a client's clock and ours agree.

    Raises:
        ValueError: one message that lists every wrong field.
    """

    seed: int = 1
    orders: int = 200
    """Orders created at the start; `POST /_sandbox/orders` adds more."""
    arrival_s: float = 3.0
    """Real time over which one batch of orders is created."""
    faults: FaultName = "none"
    speed: float = DEMO_SPEED
    lost_callbacks: float | None = None
    """Share of callbacks that are never sent; None takes the fault level's own figure."""
    access_key: str = "5a4db0c0ffee4000a000000000000001"
    access_secret: str = "sandbox-secret"  # noqa: S105  # the twin's own invented secret, guards nothing
    user_id: str = "2100000000001"
    callback_url: str | None = None
    agreement_share: float = 0.85
    """Share of orders that the pay call pays at once; the others answer with a pay URL."""
    person_share: float = 0.7
    """Of the orders without agreement, the share that a person pays at the page, hours after a URL was given out."""
    taobao_orders: int = 0
    """Purchase orders on Taobao created at the start."""
    taobao_two_ids: bool = False
    """Price messages name a purchase order by Taobao's own number, which is not its id (unknown of the real one)."""
    large_share: float = 0.0
    """Share of orders with 60 lines in 7 parcels."""
    buyer_confirms: bool = True
    """A person confirms receipts at the marketplace's own page, in the end of all. False: only our calls do."""
    lenient_receipts: bool = False
    """Confirm a receipt although a refund is open. That the real one refuses it is inferred; this proves the client."""
    stale_reads_s: float | None = None
    """Real time: details and lists show the state of up to so long ago. None takes the fault level's own figure."""
    render_valid_s: float = 60.0
    """Real time for which a freight preview can be booked. That it expires at all is inferred."""
    callback_timeout_s: float = 1.0
    """Real time. Documented: 1000 ms."""
    callback_retries: int = 5
    """Documented: pushed again at most 5 times."""
    callback_retry_after_s: float = 1800.0
    """Documented: half an hour."""
    callbacks_in_flight: int = 32
    pay_timeout_s: float = 432_000.0
    """Five days, as in upstream sample texts; then the platform closes the order."""
    settle_s: float = 1.0
    """Real time: at most this long an order whose money was taken is still shown as unpaid."""
    hang_s: float = 6.0
    """Real time for which a call that will never be answered keeps its client waiting."""
    offset_h: int | None = None
    """Zone of all time texts, e.g. 8 or -7; None: +0800, for one order in ten -0700."""
    push: PushName = "pandapon"
    """The API in whose words callbacks are pushed. Both APIs are always served."""
    aop: AopConfig = AopConfig()
    """The gateway of the 1688 open platform."""
    max_page_size: int = 20
    rate_per_s: float | None = None
    """Calls per real second and application key; what is above gets the throttle answer. None: no limit."""
    burst: int = 10
    """Calls allowed at once before the rate counts."""
    autostart: bool = False
    """Lives start with the server instead of with `POST /_sandbox/start`."""
    open_control: bool = False
    """Serve `/_sandbox/*` to other hosts too (for containers); otherwise only to loopback."""

    def __post_init__(self) -> None:
        wrong = [*self._wrong_shares(), *self._wrong_amounts(), *self.aop.wrong()]
        if self.faults not in LEVELS:
            wrong.append(f"faults: expected one of {', '.join(LEVELS)}, got {self.faults!r}")
        if self.push not in get_args(PushName):
            wrong.append(f"push: expected one of {', '.join(get_args(PushName))}, got {self.push!r}")
        if wrong:
            raise ValueError("; ".join(wrong))

    def _wrong_shares(self) -> list[str]:
        shares = {
            "lost_callbacks": self.lost_callbacks or 0.0,
            "agreement_share": self.agreement_share,
            "person_share": self.person_share,
            "large_share": self.large_share,
        }
        return [f"{name}: expected 0 to 1, got {share}" for name, share in shares.items() if not 0.0 <= share <= 1.0]

    def _wrong_amounts(self) -> list[str]:
        positive: dict[str, float] = {
            "speed": self.speed,
            "callback_timeout_s": self.callback_timeout_s,
            "callbacks_in_flight": self.callbacks_in_flight,
            "pay_timeout_s": self.pay_timeout_s,
            "max_page_size": self.max_page_size,
            "rate_per_s": 1 if self.rate_per_s is None else self.rate_per_s,
            "burst": self.burst,
        }
        natural: dict[str, float] = {
            "arrival_s": self.arrival_s,
            "callback_retries": self.callback_retries,
            "callback_retry_after_s": self.callback_retry_after_s,
            "settle_s": self.settle_s,
            "hang_s": self.hang_s,
            "stale_reads_s": self.stale_reads_s or 0.0,
            "render_valid_s": self.render_valid_s,
        }
        wrong = [f"{name}: expected more than 0, got {value}" for name, value in positive.items() if not value > 0]
        wrong += [f"{name}: expected 0 or more, got {value}" for name, value in natural.items() if not value >= 0]
        if not 0 <= self.orders <= MAX_ORDERS:
            wrong.append(f"orders: expected 0 to {MAX_ORDERS}, got {self.orders}")
        if not 0 <= self.taobao_orders <= MAX_ORDERS:
            wrong.append(f"taobao_orders: expected 0 to {MAX_ORDERS}, got {self.taobao_orders}")
        if self.taobao_orders and self.push == "alibaba1688":
            wrong.append("taobao_orders: the 1688 open platform tells nothing of Taobao; expected 0")
        return wrong

    @property
    def level(self) -> FaultLevel:
        """The fault table in force."""
        return LEVELS[self.faults]

    @property
    def lost_share(self) -> float:
        """Share of callbacks that are never sent."""
        return self.level.callbacks.lost if self.lost_callbacks is None else self.lost_callbacks

    @property
    def stale_s(self) -> float:
        """How far behind a read may be, in real seconds."""
        return self.level.stale_s if self.stale_reads_s is None else self.stale_reads_s

    def scaled_ms(self, seconds: float) -> int:
        """Real milliseconds that `seconds` of the marketplace's time take at this speed."""
        return round(seconds * 1000 / self.speed)
