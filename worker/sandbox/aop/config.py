"""What the open platform's gateway is told before it starts."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

DAY_S = 86_400.0


class AopConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What decides how the open platform behaves. App key and secret are the sandbox's access key and secret.

    Durations are seconds of the marketplace's time and run at the sandbox's speed, except where a field says otherwise:
    what a client works out from time stamps is measured on the stamps, which are never scaled.
    """

    access_token: str = "sandbox-access-token"  # noqa: S105 - the twin's own invented words guard nothing
    refresh_token: str = "sandbox-refresh-token"  # noqa: S105
    access_token_s: float = 36_000.0
    """Documented: 10 hours."""
    refresh_token_s: float = 180 * DAY_S
    """Field: about half a year."""
    code_s: float = 120.0
    """Documented: a code is good for two minutes, once."""
    timestamp_window_s: float = 900.0
    """Real time. That there is a window is known, its width is not."""
    denied: tuple[str, ...] = ()
    """Operations for which the app has no permission."""
    unconfirmed_apis: bool = True
    """Serve operations that only an unreliable source names."""
    agreement: bool = True
    """The buyer has a bound and signed agreement: payments go through without a person."""
    main_account: bool = True
    """The token belongs to the buyer's main account; some operations refuse sub-accounts."""
    round_ids: bool = False
    """Round an order's numeric ids to what a double can hold, as the manual's own samples do."""
    callback_tries: int = 3
    """Documented: normally three; then the message is kept as failed."""
    callback_retry_after_s: float = 300.0
    """Invented: no interval is published."""
    queued_share: float = 0.5
    """Of the callbacks that never arrive, the share that is found in the queue of failed ones; the others are gone."""
    retention_s: float = 7 * DAY_S
    """How long a failed message is kept: one version of the manual says seven days, another three months."""
    history_after_s: float = 90 * DAY_S
    """By time stamps, unscaled. Field: older orders are only listed as history."""
    max_page_size: int = 50
    """Field. The seller's side documents 20."""
    cancel_after_s: float = 10.0
    """Documented: an order younger than this cannot be cancelled."""
    pay_tries: int = 3
    """Documented: at most three."""
    request_id_counts: bool = False
    """A second payment with a known opRequestId gets the first one's answer. Nobody knows what the real one does."""
    out_order_id_unique: bool = False
    """A second creation with a known outOrderId answers the first order. Nobody knows what the real one does."""
    create_says_false: bool = False
    """A creation that worked says `success: false`, as the manual's samples do."""
    refresh_revokes: bool = False
    """A refresh ends the access tokens before it. Nobody knows what the real one does."""

    def wrong(self) -> Iterator[str]:
        """Yield a line per field that makes no sense."""
        for name in ("queued_share",):
            if not 0 <= getattr(self, name) <= 1:
                yield f"aop.{name}: expected 0 to 1, got {getattr(self, name)}"
        for name in ("access_token_s", "refresh_token_s", "code_s", "timestamp_window_s", "callback_tries"):
            if not getattr(self, name) > 0:
                yield f"aop.{name}: expected more than 0, got {getattr(self, name)}"
        for name in ("callback_retry_after_s", "retention_s", "history_after_s", "cancel_after_s", "pay_tries"):
            if not getattr(self, name) >= 0:
                yield f"aop.{name}: expected 0 or more, got {getattr(self, name)}"
        if not 1 <= self.max_page_size <= 1_000:  # noqa: PLR2004 - said in the message
            yield f"aop.max_page_size: expected 1 to 1000, got {self.max_page_size}"
