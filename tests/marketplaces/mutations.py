"""What a broken or hostile sender could do to a JSON value, one step at a time."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

strange: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**19, 10**40, 10**400, -(10**30), 2**53 + 1, 0, -1]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    st.sampled_from(
        ["", "0", "\u0000", "订单", "🧧", "\u202e", "x" * 5_000, "1e999", "NaN", "null", "{}", "[]", '{"a":', "-0"]
    ),
    st.sampled_from([[], {}, [[]], [None], {"": {}}, [{"orderId": 1}] * 3]),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value, as a path of keys and indices."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, inner in inside for found in places(inner, (*path, key)))]


def changed(value: Any, path: tuple[Any, ...], change: Callable[[Any], Any], *, remove: bool) -> Any:
    """The value with the one at `path` changed or removed."""
    if not path:
        return change(value)
    key, *rest = path
    if remove and not rest:
        if isinstance(value, dict):
            return {name: inner for name, inner in value.items() if name != key}
        return [inner for index, inner in enumerate(value) if index != key]
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[key] = changed(value[key], tuple(rest), change, remove=remove)
    return copy


def nested(value: Any, depth: int) -> Any:
    for number in range(depth):
        value = [value] if number % 2 else {"messageBody": value}
    return value


@st.composite
def broken(draw: st.DrawFn, value: Any) -> Any:
    """The value after one to three changes."""
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(places(value)))
        kind = draw(st.sampled_from(["replace", "remove", "as text", "nest", "wrap"]))
        other = draw(strange)
        depth = draw(st.sampled_from([1, 5, 80]))

        def change(old: Any, kind: str = kind, other: Any = other, depth: int = depth) -> Any:
            if kind == "as text":
                return str(old)
            if kind == "wrap":
                return [old]
            return nested(old, depth) if kind == "nest" else other

        value = changed(value, path, change, remove=kind == "remove" and path != ())
    return value
