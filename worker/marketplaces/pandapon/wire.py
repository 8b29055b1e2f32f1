"""How PandaPon and its Xport twin want to be asked, and what is inside the envelope of their answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from worker.catalogue.operation import Auth, Field, Form, Kind, Operation
from worker.domain.clock import Clock
from worker.marketplaces.caller import Request
from worker.marketplaces.pandapon.answers import open_envelope
from worker.marketplaces.pandapon.signing import new_nonce, signature
from worker.marketplaces.port import Credential, UnauthorisedError, UnreadableError, UnsupportedError
from worker.marketplaces.values import as_object

_FINE = range(200, 300)
_FORBIDDEN = frozenset({401, 403})


class Credentials(msgspec.Struct, frozen=True):
    """One account's keys. `__repr__` keeps the secret to itself."""

    access_key: str
    access_secret: str
    user_id: str

    def __repr__(self) -> str:
        return f"Credentials(user_id={self.user_id!r})"


class PandaPonWire:
    """Implements `worker.marketplaces.caller.Wire`.

    `timestamp_in_seconds`: the manual's samples sign milliseconds, a public client seconds (inferred: switchable).
    """

    def __init__(
        self,
        credentials: Credentials,
        clock: Clock,
        *,
        timestamp_in_seconds: bool = False,
        nonce: Callable[[], str] = new_nonce,
    ) -> None:
        self._credentials = credentials
        self._clock = clock
        self._timestamp_in_seconds = timestamp_in_seconds
        self._nonce = nonce

    def request(self, operation: Operation, path: str, question: Mapping[str, Any]) -> Request:
        """Return the signed request; ids travel as numbers where the manual has them so."""
        kinds = {field.path: field for field in operation.request}
        shaped = {name: as_sent(value, kinds.get(name)) for name, value in question.items() if value is not None}
        headers, params = self._proof(operation)
        if operation.form is Form.JSON:
            body = msgspec.json.encode(shaped)
            return Request(operation.method, path, headers | {"Content-Type": "application/json"}, params, body)
        if operation.form is Form.QUERY:
            params = params | {name: str(value) for name, value in shaped.items()}
        return Request(operation.method, path, headers, params)

    def open(self, operation: Operation, status: int, answer: Any) -> Any:
        """Return the data; only envelope code 200 is a success (documented), and only if HTTP does not deny it."""
        if status in _FORBIDDEN and "code" not in as_object(answer):
            raise UnauthorisedError(f"{operation.name}: HTTP {status}")
        data = open_envelope(answer, operation.name)
        if status not in _FINE:
            raise UnreadableError(f"{operation.name}: HTTP {status}, yet a success inside")
        return data

    async def renew(self) -> bool:
        """Return False: keys are renewed by a person."""
        return False

    def credentials(self) -> tuple[Credential, ...]:
        """Return nothing: keys do not end by themselves."""
        return ()

    async def extend(self) -> None:
        """There is nothing to extend."""
        raise UnsupportedError("keys do not end by themselves; a person renews them in the console")

    def _proof(self, operation: Operation) -> tuple[dict[str, str], dict[str, str]]:
        """Return headers and query parameters that prove who asks."""
        now = self._clock.now_ms()
        timestamp = str(now // 1000 if self._timestamp_in_seconds else now)
        nonce = self._nonce()
        keys = self._credentials
        signed = signature(keys.access_key, timestamp, nonce, keys.access_secret)
        if operation.auth is Auth.QUERY:  # how this `sign` is computed is not known: the same formula (inferred)
            headers = {"access-key": keys.access_key, "nonce-str": nonce, "user-id": keys.user_id}
            return headers, {"timestamp": timestamp, "sign": signed}
        headers = {
            "access-key": keys.access_key,
            "timestamp": timestamp,
            "nonce-str": nonce,
            "user-id": keys.user_id,
            "signature": signed,
        }
        return headers, {}


def as_sent(value: Any, field: Field | None) -> Any:
    """Return a value as the field wants it: ids as bare numbers, objects as JSON text, where the manual says so."""
    if field is None:
        return value
    if field.kind is Kind.ID_NUMBER and isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    if field.kind is Kind.JSON_TEXT and not isinstance(value, str):
        return msgspec.json.encode(value).decode()
    return value
