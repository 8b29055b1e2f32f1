"""Answer codes. Only 200 is documented; every other one is the sandbox's own invention.

The marketplace's "error code" page was not readable, so a client must not build on these figures: it may only tell
success from everything else. Failures travel as HTTP 200 with the code in the envelope.
"""

from __future__ import annotations

SUCCESS = 200
THROTTLED = 42900
PAY_FAILED = 50010

MESSAGES: dict[int, str] = {
    SUCCESS: "成功",
    40000: "bad parameter",
    40001: "body is not a JSON object of the expected shape",
    40002: "page size out of range",
    40003: "time is not yyyyMMddHHmmssSSS+0800",
    40004: "body too large",
    40100: "missing system parameter",
    40101: "unknown access key",
    40102: "signature mismatch",
    40103: "timestamp outside the window of 600 s",
    40104: "unknown user id",
    40005: "no such freight service",
    40400: "order not found",
    40401: "refund not found",
    40402: "article not found",
    40403: "cart row not found",
    40404: "freight preview not found",
    40405: "no parcel of this order",
    40406: "address not found",
    40900: "order is already paid",
    40901: "order is closed",
    40902: "payment is in progress",
    40903: "order is not shipped yet, no logistics data",
    40904: "order is not paid",
    40910: "freight preview has expired",
    40911: "freight preview was used",
    40912: "not what was previewed",
    40920: "not allowed in this state",
    THROTTLED: "too many requests",
    PAY_FAILED: "payment failed",
}


class Refused(Exception):  # noqa: N818  # a refusal is an ordinary answer here, not an error of ours
    """A call that ends with a code other than 200."""

    def __init__(self, code: int, detail: str = "") -> None:
        super().__init__(code, detail)
        self.code = code
        self.text = f"{MESSAGES[code]}: {detail}" if detail else MESSAGES[code]
