"""Modules stay under 400 lines and functions under 70, wherever they hide."""

from __future__ import annotations

import pytest

from tools.check_sizes import FUNCTION_LINES, MODULE_LINES, problems_in


def function(lines: int, head: str = "def f():") -> str:
    return "\n".join([head, *["    x = 1"] * (lines - 1)])


def test_a_module_one_line_too_long_is_named_with_its_length() -> None:
    assert list(problems_in("worker/a.py", "x = 1\n" * (MODULE_LINES + 1))) == [
        "worker/a.py:1: module has 401 lines, at most 400"
    ]


@pytest.mark.parametrize("head", ["def f():", "async def f():"])
def test_a_function_one_line_too_long_is_named_with_its_place(head: str) -> None:
    assert list(problems_in("a.py", "\n" + function(FUNCTION_LINES + 1, head))) == [
        "a.py:2: function f has 71 lines, at most 70"
    ]


def test_a_long_method_inside_a_class_is_found() -> None:
    method = "\n".join("    " + line for line in function(FUNCTION_LINES + 1, "def method(self):").splitlines())
    assert "method has 71 lines" in next(problems_in("a.py", f"class A:\n{method}"))


def test_what_is_just_at_the_limits_passes() -> None:
    assert list(problems_in("a.py", "x = 1\n" * MODULE_LINES)) == []
    assert list(problems_in("a.py", function(FUNCTION_LINES))) == []


def test_decorators_do_not_count() -> None:
    assert list(problems_in("a.py", "@one\n@two\n" + function(FUNCTION_LINES))) == []
