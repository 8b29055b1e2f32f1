"""Raw recording: every exchange with a marketplace as one JSON line, without secrets and personal data.

For finding out what a marketplace really says; the files can be replayed. Off unless an account asks for it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qsl

import msgspec
import structlog

from worker.catalogue.operation import Auth, Operation
from worker.domain.clock import Clock, Millis
from worker.marketplaces.redaction import LEFT_OUT, Redactor, dump, is_secret, plain_name
from worker.marketplaces.values import decode_json

MAX_FORM_FIELDS = 200
_HEADERS_KEPT = ("content-type", "retry-after", "date")
_FORM = "application/x-www-form-urlencoded"
_log = structlog.get_logger()


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """One exchange as it left and came back. `status` None: no answer, and `error` says why."""

    operation: Operation | None
    effect: bool
    method: str
    path: str
    headers: Mapping[str, str]
    params: Mapping[str, str]
    content: bytes | None
    asked_at: Millis
    took_ms: int
    status: int | None = None
    answer_headers: Mapping[str, str] = {}
    answer: bytes = b""
    error: str | None = None


class Recorder(Protocol):
    """Keeps exchanges. Never raises: a recording must not spoil the call that it is about."""

    def now_ms(self) -> Millis:
        """Return the time for `Exchange.asked_at`."""
        ...

    def keep(self, exchange: Exchange) -> None:
        """Write the exchange down."""
        ...


class Limits(msgspec.Struct, frozen=True):
    """How much is kept: bytes of one exchange's body, bytes of a file, files of one account."""

    exchange_bytes: int = 1_048_576
    file_bytes: int = 16_777_216
    files: int = 10


class FileRecorder:
    """Appends lines to files of one account, `NAME.MILLISECONDS-PID-NUMBER.jsonl`; the oldest are deleted.

    Several processes may share the directory: each writes files of its own, the bound is for all of them. What cannot
    be written is dropped and said in the log.
    """

    def __init__(self, account: str, directory: Path, clock: Clock, secrets: Iterable[str], limits: Limits) -> None:
        self._account = account
        self._directory = directory
        self._clock = clock
        self._secrets = tuple(secrets)
        self._limits = limits
        self._file: Path | None = None
        self._written = 0
        self._number = 0

    def now_ms(self) -> Millis:
        """Return the time for `Exchange.asked_at`."""
        return self._clock.now_ms()

    def keep(self, exchange: Exchange) -> None:
        """Write one line."""
        try:
            self._append(line_of(self._account, exchange, self._secrets, self._limits.exchange_bytes))
        except Exception as error:  # noqa: BLE001 - whatever is odd about an answer, the call itself went on
            _log.warning("an exchange was not recorded", account=self._account, error=type(error).__name__)

    def _append(self, line: bytes) -> None:
        if self._file is None or self._written + len(line) > self._limits.file_bytes:
            self._begin_file()
        assert self._file is not None  # noqa: S101 - just begun
        handle = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, line)
        finally:
            os.close(handle)
        self._written += len(line)

    def _begin_file(self) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._number += 1
        name = f"{self._account}.{self._clock.now_ms():013d}-{os.getpid()}-{self._number:06d}.jsonl"
        self._file, self._written = self._directory / name, 0
        kept = self._limits.files - 1  # the new one is the last
        for old in recordings_of(self._account, self._directory)[: -kept or None]:
            old.unlink(missing_ok=True)


def recordings_of(account: str, directory: Path) -> list[Path]:
    """Return an account's files, the oldest first."""
    return sorted(directory.glob(f"{account}.*.jsonl"))


def line_of(account: str, exchange: Exchange, secrets: Iterable[str], most_bytes: int) -> bytes:
    """Return an exchange as one line of JSON, cleaned. `most_bytes`: a larger body is left out and its size told."""
    operation = exchange.operation
    own = _secrets_of(exchange)
    fields = operation.request if operation else ()
    hidden = ("code",) if operation and operation.auth is Auth.CLIENT_SECRET else ()
    asked = Redactor((*secrets, *own), fields, hidden=hidden)
    answered = Redactor((*secrets, *own), operation.answer if operation else ())
    line = {
        "asked_at": exchange.asked_at,
        "took_ms": exchange.took_ms,
        "account": account,
        "operation": operation.name if operation else None,
        "effect": exchange.effect,
        "request": {
            "method": exchange.method,
            "path": asked.text(exchange.path),
            "headers": asked.value(dict(exchange.headers)),
            "params": asked.value(dict(exchange.params)),
            "body": _request_body(asked, exchange, most_bytes),
        },
        "answer": None
        if exchange.status is None
        else {
            "status": exchange.status,
            "headers": {
                name: answered.text(value)
                for name, value in exchange.answer_headers.items()
                if name.lower() in _HEADERS_KEPT
            },
            "body": _json_body(answered, exchange.answer, most_bytes),
        },
        "error": None if exchange.error is None else answered.text(exchange.error),
    }
    return dump(line) + b"\n"


def _request_body(redactor: Redactor, exchange: Exchange, most_bytes: int) -> Any:
    content = exchange.content
    if not content:
        return None
    kind = next((value for name, value in exchange.headers.items() if name.lower() == "content-type"), "")
    if not kind.startswith(_FORM):
        return _json_body(redactor, content, most_bytes)
    if len(content) > most_bytes:
        return {"left_out": "larger than the limit", "bytes": len(content)}
    return {"form": redactor.value(dict(_form_of(content)))}


def _json_body(redactor: Redactor, body: bytes, most_bytes: int) -> Any:
    """A page of a gateway's is no JSON: nobody can say what stands in it, so only its size is told."""
    if not body:
        return None
    if len(body) > most_bytes:
        return {"left_out": "larger than the limit", "bytes": len(body)}
    try:
        return {"json": redactor.value(decode_json(body))}
    except ValueError:
        return {"left_out": "not JSON", "bytes": len(body)}


def _form_of(content: bytes) -> list[tuple[str, str]]:
    return parse_qsl(content.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MAX_FORM_FIELDS)


def _secrets_of(exchange: Exchange) -> set[str]:
    """Return the values that this request carried under secret names: an answer may repeat them anywhere."""
    pairs = [*exchange.headers.items(), *exchange.params.items()]
    if exchange.content and b"=" in exchange.content[:200]:
        pairs += _form_of(exchange.content)
    return {value for name, value in pairs if is_secret(plain_name(name)) and value != LEFT_OUT}
