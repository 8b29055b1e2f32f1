"""What the open platform knows beyond the orders: tokens, permissions, failed messages, tries to pay, pictures."""

from __future__ import annotations

from collections import Counter, deque
from enum import StrEnum

from worker.sandbox.agenda import NowMs
from worker.sandbox.aop.failed import FailedQueue
from worker.sandbox.aop.tokens import Tokens
from worker.sandbox.config import SandboxConfig


class PayWay(StrEnum):
    """How one payment by agreement ends; what a test asks for comes before chance."""

    TAKEN = "ok"
    FALSE = "false"
    """Said to have failed, and no money was taken."""
    FALSE_BUT_TAKEN = "false_but_debited"
    """Documented: `paySuccess` may be false although money was taken."""
    TIMED_OUT = "timeout"
    """No answer, no money taken."""
    TIMED_OUT_BUT_TAKEN = "timeout_but_debited"


class OpenPlatform:
    """The state of one sandbox's gateway."""

    def __init__(self, config: SandboxConfig, now_ms: NowMs) -> None:
        self.config = config.aop
        self.tokens = Tokens(config.aop, now_ms, config.scaled_ms, config.seed)
        self.queue = FailedQueue(now_ms, config.scaled_ms(config.aop.retention_s))
        self.denied = set(config.aop.denied)
        """Names of the operations for which the app has no permission."""
        self.agreement = config.aop.agreement
        self.main_account = config.aop.main_account
        self.pay_script: deque[PayWay] = deque()
        """How the next payments end, whatever their order."""
        self.pay_tries: Counter[str] = Counter()
        """Payments by agreement asked for, per order, refused ones included."""
        self.paid_requests: dict[str, bool] = {}
        """What was answered to each opRequestId, where those count."""
        self.out_order_ids: dict[str, str] = {}
        """The buyer's own ids by order."""
        self.creations: dict[str, list[str]] = {}
        """The orders that were created under each of the buyer's own ids."""
        self.images: dict[str, bytes] = {}
        self.vouchers: dict[str, bytes] = {}
