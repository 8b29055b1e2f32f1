"""`make help` explains everything that can be made."""

from __future__ import annotations

import re
import subprocess

import pytest

from tools.report import ROOT

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PHONY = set(re.sub(r"\\\n", " ", MAKEFILE).partition(".PHONY:")[2].partition("\n")[0].split())
PRIVATE = {"ready"}


@pytest.fixture(scope="module")
def help_text() -> str:
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607  make is looked up as people do
    return done.stdout


def test_help_lists_every_target_and_no_other(help_text: str) -> None:
    listed = set(re.findall(r"^  ([a-z-]+) +\S", help_text, re.MULTILINE))
    assert listed == PHONY - PRIVATE


def test_every_rule_is_declared_phony() -> None:
    assert set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE)) == PHONY


@pytest.mark.parametrize("target", ["help", "setup", "demo", "test", "check", "bench", "kafka", "lock", "format"])
def test_the_promised_targets_exist(target: str) -> None:
    assert target in PHONY


def test_check_runs_every_single_check() -> None:
    match = re.search(r"^check: (.*?) ##", MAKEFILE, re.MULTILINE)
    assert match is not None
    assert set(match[1].split()) == {target for target in PHONY if target.startswith("check-")}


def test_every_check_of_ours_has_a_target() -> None:
    modules = {path.stem for path in (ROOT / "tools").glob("check_*.py")} - {"check_demo"}  # the demo is CI's own step
    assert modules == set(re.findall(r"-m tools\.(check_\w+)", MAKEFILE))


def test_bare_make_is_help(help_text: str) -> None:
    done = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607  make is looked up as people do
    assert done.stdout == help_text
