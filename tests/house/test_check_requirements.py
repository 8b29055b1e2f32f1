"""The requirements files pin, with hashes and without addresses, what pyproject.toml asks for."""

from __future__ import annotations

import pytest

from tools.check_requirements import check, read_pins, read_tree
from tools.report import ROOT

PROJECT = {
    "build-system": {"requires": ["hatchling>=1.27"]},
    "project": {"dependencies": ["Rich[x]>=15"], "optional-dependencies": {"embedded": ["some_server>=1"]}},
    "dependency-groups": {"dev": ["ruff>=0.17"]},
}


def pins(*names: str) -> str:
    return "".join(f"{name} \\\n    --hash=sha256:00\n" for name in names)


def good() -> dict[str, str]:
    return {
        "runtime": pins("rich==15.1"),
        "embedded": pins("rich==15.1", "some-server==1.0"),
        "dev": pins("hatchling==1.30", "rich==15.1", "ruff==0.17", "some-server==1.0", "uv==0.13"),
        "bootstrap": pins("uv==0.13"),
    }


def test_a_pin_without_a_hash_is_refused() -> None:
    assert read_pins("dev.txt", "ruff==0.17\n")[1] == ["dev.txt: ruff has no hash"]


@pytest.mark.parametrize("line", ["ruff>=0.17", "-e .", "--extra-index-url somewhere"])
def test_a_line_that_is_no_pin_is_refused(line: str) -> None:
    assert read_pins("dev.txt", line)[1] == [f"dev.txt: not a pin: {line}"]


def test_an_address_is_refused() -> None:
    _, problems = read_pins("dev.txt", "--index-url https://example.org\n" + pins("ruff==0.17"))
    assert problems[0] == "dev.txt: carries an address; compile it with `make lock`"


@pytest.mark.parametrize(
    ("file", "text", "problem"),
    [
        ("runtime", "", "runtime.txt: Rich is not pinned; run `make lock`"),
        (
            "runtime",
            pins("rich==14.9"),
            "runtime.txt: Rich is pinned to 14.9, asked for is >=15; run `make lock`",
        ),
        (
            "embedded",
            pins("rich==15.0", "some-server==1.0"),
            "embedded.txt: rich is 15.0, runtime.txt has 15.1; run `make lock`",
        ),
        ("embedded", pins("rich==15.1"), "embedded.txt: some_server is not pinned; run `make lock`"),
        ("dev", pins("rich==15.1"), "dev.txt: ruff is not pinned; run `make lock`"),
        ("bootstrap", pins("uv==0.12"), "dev.txt: uv is 0.13, bootstrap.txt has 0.12; run `make lock`"),
    ],
)
def test_what_is_out_of_step_is_named(file: str, text: str, problem: str) -> None:
    assert problem in check(PROJECT, good() | {file: text})


def test_markers_extras_and_spelling_of_names_do_not_matter() -> None:
    text = "Some_Server[a,b]==1.0 ; sys_platform == 'linux' \\\n    --hash=sha256:00\n# a comment\n"
    assert read_pins("dev.txt", text) == ({"some-server": "1.0"}, [])


def test_files_in_step_pass() -> None:
    assert check(PROJECT, good()) == []


def test_this_tree_is_in_step() -> None:
    assert check(*read_tree(ROOT)) == []
