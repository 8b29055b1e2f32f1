"""What must not leave with a recording: secrets by value and by name, personal data by name, by field and by looks.

Privacy goes before completeness: what could be a phone number, or text that cannot be taken apart but mentions a hidden
name, is left out. Ids and amounts stay as they came, to the last digit.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable
from decimal import Decimal
from typing import Any
from urllib.parse import unquote_plus

import msgspec

from worker.catalogue.operation import Field, Kind
from worker.marketplaces.values import decode_json

LEFT_OUT = "(left out)"
MAX_DEPTH = 40
MAX_TEXT_CHARS = 20_000
"""A longer text that is not JSON is a picture or a page: its length says enough."""
MAX_LAYERS = 8
_SHORT_SECRET = 12
"""A shorter secret is only looked for as a word of its own: inside an id it would be a coincidence."""

_SECRET_PARTS = ("secret", "token", "signature", "password", "passwd", "authorization", "nonce", "accesskey", "appkey")
_SECRET_NAMES = frozenset({"sign", "clientid", "cookie", "setcookie"})
_PERSONAL_PARTS = (
    "receiver", "contact", "mobile", "phone", "address", "fullname", "postcode", "zipcode", "email", "idcard",
    "loginid", "alipayid", "nick", "consignee", "recipient", "sender", "feedback", "memo", "taxid", "openuid",
)  # fmt: skip
_PERSONAL_NAMES = frozenset(
    {
        "fax", "zip", "tel", "province", "city", "district", "area", "town", "street", "state", "caid", "remark",
        "remarks", "provincetext", "citytext", "areatext", "towntext", "provincecode", "citycode", "areacode",
        "towncode", "divisioncode", "districtcode", "topost", "toarea", "totowncode", "todivisioncode", "toprovince",
        "tocity", "fromprovince", "fromcity", "fromarea", "fromtown", "frompost", "buyername", "resourceowner",
        "iminplatform", "birthday", "passport",
    }
)  # fmt: skip
_NOT_PERSONAL = frozenset({"imageaddress"})
_NAME_FIELDS, _VALUE_FIELDS = ("key", "name", "code"), ("value", "text", "content")

_PHONE = re.compile(
    r"(?<![0-9.])(?:(?:\+|00)?86[ -]?)?1[3-9][0-9](?:[ -]?[0-9]{4}){2}(?![0-9]|\.[0-9])"  # a mobile of the mainland
    r"|(?<![0-9.-])0[1-9][0-9]{1,2}[ -][2-9][0-9]{6,7}(?![0-9])"  # a landline with its area code
    r"|(?<![0-9])\+[1-9][0-9]{0,2}[ -]?(?:[0-9][ -]?){6,12}[0-9](?![0-9])"  # anywhere else, with its country
    r"|\([0-9]{3}\) ?[0-9]{3}-[0-9]{4}"
)
_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_NAMED = re.compile(r"([A-Za-z][A-Za-z0-9_.-]{1,60})[\"'\\]{0,40}\s{0,4}[:=>]")
"""A name with something assigned to it, in text that could not be taken apart: JSON cut off, a query, a page."""
_OPENS_JSON = ("{", "[", '"')
_ENCODER = msgspec.json.Encoder(decimal_format="number")
_LARGEST_PLAIN_INT = 2**63 - 1


class Redactor:
    """Cleans JSON values, texts and names of one exchange."""

    def __init__(self, secrets: Iterable[str], fields: Iterable[Field] = (), *, hidden: Iterable[str] = ()) -> None:
        """`secrets`: their values, wherever they stand. `fields`: of the operation. `hidden`: more names to hide."""
        self._secrets = [_secret_pattern(secret) for secret in sorted(set(secrets), key=len, reverse=True) if secret]
        self._hidden = frozenset(map(plain_name, hidden))
        self._personal = tuple(_keys(field.path) for field in fields if field.personal)
        self._pictures = tuple(_keys(field.path) for field in fields if field.kind is Kind.BASE64)

    def value(self, value: Any, path: tuple[str, ...] = (), depth: int = 0) -> Any:
        """Return a JSON value without what must not be kept; `path`: the plain names that lead to it."""
        if value is None or isinstance(value, bool) or value in ("", [], {}):
            return value
        if depth > MAX_DEPTH or (path and self.is_hidden(path)):
            return LEFT_OUT
        match value:
            case dict():
                return self._object(value, path, depth)
            case list():
                return [self.value(one, path, depth + 1) for one in value]
            case str():
                return self.text(value, path, depth)
            case _:
                return LEFT_OUT if self._is_dirty(str(value)) else value

    def text(self, text: str, path: tuple[str, ...] = (), depth: int = 0) -> str:
        """Return a text without what must not be kept. JSON inside is taken apart and written anew, compactly."""
        if _ends(path, self._pictures):
            return f"(left out: {len(text)} characters)"
        if text.lstrip()[:1] in _OPENS_JSON:
            try:
                inner = decode_json(text)
            except ValueError:
                pass
            else:
                return dump(self.value(inner, path, depth + 1)).decode()
        if len(text) > MAX_TEXT_CHARS:
            return f"(left out: {len(text)} characters)"
        if self._mentions_hidden(text) or self._hides_something(text):
            return LEFT_OUT
        return self._scrubbed(text)

    def is_hidden(self, path: tuple[str, ...]) -> bool:
        """Tell whether what stands at `path` is hidden, by its name or because the catalogue calls it personal."""
        return is_secret(path[-1]) or is_personal(path[-1]) or path[-1] in self._hidden or _ends(path, self._personal)

    def _object(self, value: dict[str, Any], path: tuple[str, ...], depth: int) -> dict[str, Any]:
        """An object may also name its value in a field of its own: `{"key": "mobile", "value": "…"}`."""
        named = [plain_name(held) for field in _NAME_FIELDS if isinstance(held := value.get(field), str)]
        hides = any(self.is_hidden((*path, name)) for name in named if name)
        found = {}
        for key, held in value.items():
            plain = plain_name(key)
            cleaned = LEFT_OUT if hides and plain in _VALUE_FIELDS else self.value(held, (*path, plain), depth + 1)
            found[self.text(key, (), depth + 1)] = cleaned
        return found

    def _scrubbed(self, text: str) -> str:
        for pattern in (*self._secrets, _PHONE, _EMAIL):
            text = pattern.sub(LEFT_OUT, text)
        return text

    def _is_dirty(self, text: str) -> bool:
        return any(pattern.search(text) for pattern in (*self._secrets, _PHONE, _EMAIL))

    def _hides_something(self, text: str) -> bool:
        """Tell whether something would show once the text's layers are taken off; too many of them are suspicious."""
        for _ in range(MAX_LAYERS):
            inner = _one_layer_less(text)
            if inner == text:
                return False
            if self._is_dirty(inner) or self._mentions_hidden(inner):
                return True
            text = inner
        return True

    def _mentions_hidden(self, text: str) -> bool:
        return any(
            is_secret(name) or is_personal(name) or name in self._hidden
            for name in (plain_name(found[1].rsplit(".", 1)[-1]) for found in _NAMED.finditer(text))
        )


def scrubbed(text: str) -> str:
    """Return a text of our own, such as an error's, without what looks like a phone number or a mail address."""
    return _EMAIL.sub(LEFT_OUT, _PHONE.sub(LEFT_OUT, text))


def plain_name(name: str) -> str:
    """Return a name as it is compared: letters and digits alone, in lower case."""
    folded = unicodedata.normalize("NFKC", name).lower()
    return "".join(sign for sign in folded if sign.isascii() and sign.isalnum()) if folded else ""


def is_secret(name: str) -> bool:
    """Tell whether a plain name is one of a key, a signature, a token or a nonce."""
    return name in _SECRET_NAMES or any(part in name for part in _SECRET_PARTS)


def is_personal(name: str) -> bool:
    """Tell whether a plain name is one of a receiver's or contact's data."""
    if name in _NOT_PERSONAL:
        return False
    return name in _PERSONAL_NAMES or any(part in name for part in _PERSONAL_PARTS)


def dump(value: Any) -> bytes:
    """Return JSON in which every number has the digits with which it came."""
    return _ENCODER.encode(_writable(value))


def _writable(value: Any) -> Any:
    """Numbers beyond 64 bits are written as decimals: the encoder knows no larger integers."""
    if isinstance(value, dict):
        return {key: _writable(held) for key, held in value.items()}
    if isinstance(value, list):
        return [_writable(one) for one in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _LARGEST_PLAIN_INT:
        return Decimal(value)
    return value


def _secret_pattern(secret: str) -> re.Pattern[str]:
    escaped = re.escape(secret)
    return re.compile(escaped if len(secret) >= _SHORT_SECRET else rf"(?<![A-Za-z0-9]){escaped}(?![A-Za-z0-9])")


def _one_layer_less(text: str) -> str:
    """Return a text without full-width signs, percent signs, entities and escapes, one layer of each."""
    return _unescaped(html.unescape(unquote_plus(unicodedata.normalize("NFKC", text))))


def _unescaped(text: str) -> str:
    return re.sub(r"\\u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), text)


def _keys(path: str) -> tuple[str, ...]:
    return tuple(plain_name(part) for part in path.replace("[]", "").split(".") if plain_name(part))


def _ends(path: tuple[str, ...], patterns: Iterable[tuple[str, ...]]) -> bool:
    return any(path[-len(pattern) :] == pattern for pattern in patterns)
