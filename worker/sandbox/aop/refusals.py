"""The two ways to say no: the gateway's, before an operation is reached, and the operation's own."""

from __future__ import annotations

NO_USER = "Request need user authorized"


class GatewayRefusal(Exception):  # noqa: N818 - a refusal is an ordinary answer here, not an error of ours
    """Answered as HTTP 4xx with `error_code` and `error_message`."""

    def __init__(self, code: str, text: str, status: int = 400) -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text
        self.status = status


class BusinessRefusal(Exception):  # noqa: N818 - as above
    """Answered as HTTP 200 in the operation's own shape."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text


def no_user() -> GatewayRefusal:
    """Field: HTTP 401 for a token that is missing, wrong or over."""
    return GatewayRefusal("401", NO_USER, 401)
