"""The parameters of one call, read as the catalogue describes them and checked before anything is done."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from typing import Any

import msgspec

from worker.catalogue.operation import Field, Kind, Operation
from worker.sandbox.codes import Refused

MAX_ID_DIGITS = 19


class Parameters:
    """Named values of one call. Reading one that is missing or of another kind refuses the call."""

    def __init__(self, values: Mapping[str, Any], base_url: str = "") -> None:
        self.values = values
        self.base_url = base_url
        """Where the caller reached us, for links that lead back here."""

    @property
    def key(self) -> str:
        """The order or refund that the call is about, or a word for calls that are about none."""
        for name in ("orderId", "tradeID", "refundId", "id"):
            if isinstance(value := self.values.get(name), int | str) and value != "":
                return str(value)
        return "-"

    def has(self, name: str) -> bool:
        """Tell whether the caller gave a value other than null."""
        return self.values.get(name) is not None

    def id(self, name: str) -> str:
        """An id as text, whichever way it travelled."""
        value = self.values.get(name)
        text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
        if not (text.isascii() and text.isdigit() and len(text) <= MAX_ID_DIGITS):
            raise Refused(40000, f"{name}: expected up to {MAX_ID_DIGITS} digits")
        return text

    def text(self, name: str, default: str | None = None) -> str:
        """A text; `default` None: it has to be there."""
        value = self.values.get(name, default)
        if not isinstance(value, str):
            raise Refused(40000, f"{name}: expected a text")
        return value

    def integer(self, name: str, default: int | None = None) -> int:
        """A whole number, also as text."""
        value = self.values.get(name, default)
        if isinstance(value, str) and value.removeprefix("-").isdecimal() and value.isascii():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise Refused(40000, f"{name}: expected a whole number")
        return value

    def object(self, name: str) -> dict[str, Any]:
        """An object, or JSON text of one where the manual wants that."""
        value = self._unpacked(name)
        if not isinstance(value, dict):
            raise Refused(40000, f"{name}: expected an object")
        return value

    def list(self, name: str) -> list[Any]:
        """A list, or JSON text of one where the manual wants that."""
        value = self._unpacked(name)
        if not isinstance(value, list):
            raise Refused(40000, f"{name}: expected a list")
        return value

    def inside(self, name: str) -> Parameters:
        """The fields of an object."""
        return Parameters(self.object(name), self.base_url)

    def rows(self, name: str) -> builtins.list[Parameters]:
        """The fields of every object of a list, at least one."""
        found = self.list(name)
        if not found or not all(isinstance(row, dict) for row in found):
            raise Refused(40000, f"{name}: expected a list of objects")
        return [Parameters(row, self.base_url) for row in found]

    def ids(self, name: str) -> builtins.list[str]:
        """Ids as text, whichever way they travelled; an absent list is an empty one."""
        found = self.list(name) if self.has(name) else []
        return [Parameters({name: value}).id(name) for value in found]

    def _unpacked(self, name: str) -> Any:
        value = self.values.get(name)
        if not isinstance(value, str):
            return value
        try:
            return msgspec.json.decode(value)
        except msgspec.DecodeError as error:
            raise Refused(40000, f"{name}: expected JSON text") from error


def check_fields(operation: Operation, values: Mapping[str, Any]) -> None:
    """Hold the caller's fields against the catalogue: required ones are there, and each is of its kind.

    Raises:
        Refused: 40000 with the field's name.
    """
    for field in operation.request:
        if "." in field.path:  # fields of an object are the object's own business
            continue
        value = values.get(field.path)
        if value is None or value == "":
            if field.required:
                raise Refused(40000, f"{field.path}: missing")
        elif not _fits(value, field):
            raise Refused(40000, f"{field.path}: expected {field.kind.value}")


def _fits(value: Any, field: Field) -> bool:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    match field.kind:
        case Kind.LIST:
            return isinstance(value, list)
        case Kind.OBJECT:
            return isinstance(value, dict)
        case Kind.JSON_TEXT:
            return isinstance(value, str)
        case Kind.BOOLEAN:
            return isinstance(value, bool) or value in ("true", "false")
        case Kind.ID_NUMBER | Kind.INTEGER | Kind.FEN:
            return (is_number or isinstance(value, str)) and str(value).lstrip("-").isdigit()
        case _:
            return is_number or isinstance(value, str | float)
