"""The parameters of one call: texts, and JSON inside of texts, as the manual's types want them."""

from __future__ import annotations

from collections.abc import Mapping
from email import policy
from email.parser import BytesParser
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import ClientDisconnect, Request

from worker.catalogue.operation import Kind, Operation
from worker.sandbox.aop.refusals import GatewayRefusal
from worker.sandbox.timetext import read_stamp

MAX_BODY = 4_194_304
MAX_FIELDS = 200
MAX_ID_DIGITS = 20


def invalid(name: str, wanted: str) -> GatewayRefusal:
    """A parameter of the wrong type. The code is invented: only the one of a missing parameter is known."""
    return GatewayRefusal("gw.ParamInvalid", f"param {name}: expected {wanted}")


class Form:
    """Named texts of one call, and its files. Reading what is of another kind refuses the call."""

    def __init__(self, texts: Mapping[str, str], files: Mapping[str, bytes] | None = None, base_url: str = "") -> None:
        self.texts = texts
        self.files = files or {}
        self.base_url = base_url
        """Where the caller reached us, for links that lead back here."""

    @property
    def key(self) -> str:
        """The order or refund that the call is about, or a word for calls that are about none."""
        for name in ("orderId", "tradeID", "refundId"):
            if self.texts.get(name):
                return self.texts[name]
        for name in ("tradeWithholdPreparePayParam", "input"):
            try:
                inner = msgspec.json.decode(self.texts.get(name) or "null")
            except msgspec.DecodeError:
                continue
            if isinstance(inner, dict) and inner.get("orderId"):
                return str(inner["orderId"])
        return "-"

    def has(self, name: str) -> bool:
        """Tell whether the caller gave a value: an empty one is none."""
        return bool(self.texts.get(name))

    def text(self, name: str, default: str = "") -> str:
        """A text."""
        return self.texts.get(name) or default

    def id(self, name: str) -> str:
        """A whole number of any size, as text."""
        return digits(name, self.texts.get(name, ""))

    def integer(self, name: str, default: int) -> int:
        """A whole number."""
        return whole(name, self.texts[name]) if self.has(name) else default

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A boolean, as the word `true` or `false`."""
        word = self.text(name, "true" if default else "false")
        if word not in ("true", "false"):
            raise invalid(name, "true or false")
        return word == "true"

    def moment(self, name: str, default: int) -> int:
        """A date, as Unix milliseconds."""
        if not self.has(name):
            return default
        try:
            return read_stamp(self.texts[name])
        except ValueError as error:
            raise invalid(name, "yyyyMMddHHmmssSSS+0800") from error

    def object(self, name: str) -> dict[str, Any]:
        """An object, as JSON text."""
        return as_object(name, self._unpacked(name))

    def list(self, name: str) -> list[Any]:
        """A list, as JSON text; none at all is an empty one."""
        value = self._unpacked(name) if self.has(name) else []
        if not isinstance(value, list):
            raise invalid(name, "a JSON list")
        return value

    def _unpacked(self, name: str) -> Any:
        try:
            return msgspec.json.decode(self.texts.get(name, ""))
        except msgspec.DecodeError as error:
            raise invalid(name, "JSON text") from error


def digits(name: str, value: Any) -> str:
    """An id, from a number or a text."""
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_ID_DIGITS):
        raise invalid(name, "a whole number")
    return text


def whole(name: str, value: Any) -> int:
    """A whole number, from a number or a text."""
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not (text.isascii() and text.removeprefix("-").isdigit() and len(text) <= MAX_ID_DIGITS):
        raise invalid(name, "a whole number")
    return int(text)


def as_object(name: str, value: Any) -> dict[str, Any]:
    """An object."""
    if not isinstance(value, dict):
        raise invalid(name, "a JSON object")
    return value


async def read_form(request: Request) -> Form:
    """The query and the body together, as the gateway takes them.

    Raises:
        GatewayRefusal: the body is too large, cut off or neither kind of form.
    """
    texts = dict(request.query_params)
    body = await _body(request)
    content_type = request.headers.get("content-type", "")
    if content_type.startswith("multipart/form-data"):
        more, files = _parts(content_type, body)
        return Form(texts | more, files, str(request.base_url))
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except (ValueError, UnicodeError) as error:
        raise GatewayRefusal("gw.RequestInvalid", "the body is not a form") from error
    return Form(texts | dict(pairs), None, str(request.base_url))


async def _body(request: Request) -> bytes:
    body = b""
    try:
        async for part in request.stream():
            body += part
            if len(body) > MAX_BODY:
                raise GatewayRefusal("gw.RequestInvalid", f"more than {MAX_BODY} bytes")
    except ClientDisconnect as gone:
        raise GatewayRefusal("gw.RequestInvalid", "incomplete") from gone
    return body


def _parts(content_type: str, body: bytes) -> tuple[dict[str, str], dict[str, bytes]]:
    message = BytesParser(policy=policy.HTTP).parsebytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    texts: dict[str, str] = {}
    files: dict[str, bytes] = {}
    for part in message.iter_parts() if message.is_multipart() else ():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if not isinstance(name, str) or not isinstance(content, bytes):
            continue
        if part.get_filename() is not None:
            files[name] = content
        else:
            texts[name] = content.decode("utf-8", "replace")
    return texts, files


def check_required(operation: Operation, form: Form) -> None:
    """Hold the call against the catalogue: every required parameter is there. Raises GatewayRefusal.

    A file may come as a file part or, as one of the official SDKs sends it, as base64 text.
    """
    for field in operation.request:
        if not field.required:
            continue
        outer, _, inner = field.path.partition(".")
        if not form.has(outer) and not form.files.get(outer):
            raise _missing(outer)
        if inner and field.kind is not Kind.OBJECT and "[]" not in field.path and _lacks(form.object(outer), inner):
            raise _missing(field.path)


def _lacks(block: dict[str, Any], path: str) -> bool:
    value: Any = block
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value in (None, "")


def _missing(name: str) -> GatewayRefusal:
    return GatewayRefusal("gw.ParamMissing", f"Missing required param, param name: {name}")
