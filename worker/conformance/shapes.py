"""Holds an answer against the fields that the catalogue names: is it there, is it of that kind, can it be that unit?"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from worker.catalogue.operation import Field, Kind, Mark
from worker.conformance.findings import FieldSeen, FieldState
from worker.marketplaces.values import decode_json, identifier, instant

MAX_OTHERS = 30
_WHOLE = re.compile(r"-?[0-9]+")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_BASE64 = re.compile(r"[A-Za-z0-9+/\s]+={0,2}")


def compare(fields: Iterable[Field], data: Any, mark: Mark) -> list[FieldSeen]:
    """Return how each field looks in the data. `mark`: of fields that have none of their own."""
    return [_seen(field, list(_values(data, _steps(field.path))), field.mark or mark) for field in fields]


def merged(first: Iterable[FieldSeen], second: Iterable[FieldSeen]) -> list[FieldSeen]:
    """Return of each field the more telling of two looks: what is wrong once is wrong, what was there once is there."""
    return [max(pair, key=lambda seen: _TELLING.index(seen.state)) for pair in zip(first, second, strict=True)]


def others(fields: Iterable[Field], data: Any) -> list[str]:
    """Return paths in the data that no field names, without those below one that is named as a whole."""
    named = {field.path for field in fields}
    parents = {path[: match.start()] for path in named for match in re.finditer(r"\.|\[\]", path)}
    found: dict[str, None] = {}
    for path in _paths(data, "", parents):
        if path not in named and path not in parents:
            found.setdefault(path)
    return list(found)[:MAX_OTHERS]


def _seen(field: Field, values: list[Any], mark: Mark) -> FieldSeen:
    def told(state: FieldState, note: str = "") -> FieldSeen:
        return FieldSeen(field.path, field.kind.value, mark, state, note)

    if not values:
        return told(FieldState.MISSING)
    filled = [value for value in values if value is not None and value != ""]
    if not filled:
        return told(FieldState.EMPTY)
    strange = next((value for value in filled if not _is_kind(value, field.kind)), None)
    if strange is not None:
        unit = field.kind is Kind.FEN and _is_number(strange)
        state = FieldState.OTHER_UNIT if unit else FieldState.OTHER_KIND
        return told(state, described(strange))
    return told(FieldState.FOUND)


def described(value: Any) -> str:
    """Say what a value is without saying it: the text goes into notes that others read."""
    if not isinstance(value, str):
        return next(words for kind, words in _WORDS if isinstance(value, kind))
    if _NUMBER.fullmatch(value):
        return "a whole number as text" if _WHOLE.fullmatch(value) else "a decimal number as text"
    return "a time as text" if instant(value) is not None else "text"


def _is_kind(value: Any, kind: Kind) -> bool:
    return _TESTS[kind](value)


def _digits(value: Any) -> str:
    """A number's text, whether it travels as number or as text; empty for anything else."""
    return str(value) if isinstance(value, int | Decimal | str) and not isinstance(value, bool) else ""


def _is_whole(value: Any) -> bool:
    return _WHOLE.fullmatch(_digits(value)) is not None


def _is_number(value: Any) -> bool:
    return _NUMBER.fullmatch(_digits(value)) is not None


def _is_true_or_false(value: Any) -> bool:
    return isinstance(value, bool) or (isinstance(value, str) and value.lower() in ("true", "false"))


def _is_json(value: Any) -> bool:
    try:
        return isinstance(value, str) and isinstance(decode_json(value), dict | list)
    except ValueError:
        return False


def _steps(path: str) -> list[str]:
    """`data[].baseInfo.id` → `data`, `[]`, `baseInfo`, `id`."""
    return [step for step in path.replace("[]", ".[]").split(".") if step]


def _values(data: Any, steps: list[str]) -> Iterator[Any]:
    """Yield what stands at the end of the steps; an object in the place of a list counts as its only entry."""
    if not steps:
        yield data
        return
    first, rest = steps[0], steps[1:]
    if first == "[]":
        for one in data if isinstance(data, list) else [data] if isinstance(data, dict) else []:
            yield from _values(one, rest)
    elif isinstance(data, dict) and first in data:
        yield from _values(data[first], rest)


def _paths(data: Any, at: str, parents: set[str]) -> Iterator[str]:
    if isinstance(data, dict):
        for name, value in data.items():
            path = f"{at}.{name}" if at else str(name)
            yield path
            if path in parents:
                yield from _paths(value, path, parents)
    elif isinstance(data, list):
        for one in data:
            yield from _paths(one, f"{at}[]", parents)


_TELLING = (
    FieldState.MISSING,
    FieldState.EMPTY,
    FieldState.FOUND,
    FieldState.OTHER_KIND,
    FieldState.OTHER_UNIT,
)
_WORDS: tuple[tuple[type, str], ...] = (
    (bool, "a boolean"),
    (int, "a whole number"),
    (Decimal, "a decimal number"),
    (list, "a list"),
    (dict, "an object"),
    (object, "nothing"),
)
_TESTS: Mapping[Kind, Callable[[Any], bool]] = {
    Kind.TEXT: lambda value: isinstance(value, str),
    Kind.ID_TEXT: lambda value: isinstance(value, str) and identifier(value) is not None,
    Kind.ID_NUMBER: lambda value: identifier(value) is not None,
    Kind.INTEGER: _is_whole,
    Kind.FEN: _is_whole,
    Kind.DECIMAL: _is_number,
    Kind.YUAN: _is_number,
    Kind.BOOLEAN: _is_true_or_false,
    Kind.TIME: lambda value: instant(value) is not None,
    Kind.OBJECT: lambda value: isinstance(value, dict),
    Kind.LIST: lambda value: isinstance(value, list),
    Kind.JSON_TEXT: _is_json,
    Kind.BASE64: lambda value: isinstance(value, str) and _BASE64.fullmatch(value) is not None,
}
