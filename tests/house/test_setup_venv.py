"""`make setup` says clearly what only a person can put right, and does its work once."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from tools.setup_venv import (
    INPUTS,
    SetupError,
    check_place,
    check_python,
    digest,
    is_ready,
    one_at_a_time,
    uv_settings,
    without_cache,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout whose `.venv` is finished, made of files just good enough to be looked at."""
    for name in INPUTS:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    tools = tmp_path / ".venv" / "bin"
    tools.mkdir(parents=True)
    (tmp_path / ".venv" / "pyvenv.cfg").touch()
    (tools / "pip").write_text(f"#!{tools}/python\n")
    (tools / "python").write_text("#!/bin/sh\nexit 0\n")
    (tools / "python").chmod(0o755)
    (tmp_path / ".venv" / "setup.stamp").write_text(digest(tmp_path))
    return tmp_path


def test_an_old_python_is_refused_with_the_command_that_names_another() -> None:
    with pytest.raises(SetupError, match=r"Python 3\.9 is too old.*make setup PYTHON="):
        check_python((3, 9), has_ensurepip=True)


def test_a_python_without_ensurepip_is_refused_with_the_package_to_install() -> None:
    with pytest.raises(SetupError, match="python3-venv"):
        check_python((3, 11), has_ensurepip=False)


def test_another_users_environment_is_left_alone(root: Path) -> None:
    with pytest.raises(SetupError, match="belongs to another user"):
        check_place(root, os.geteuid() + 1)


@pytest.mark.parametrize("lost", ["pyvenv.cfg", "bin/python", "bin/pip"])
def test_a_broken_environment_is_named_with_the_way_out(root: Path, lost: str) -> None:
    (root / ".venv" / lost).unlink()
    with pytest.raises(SetupError, match=r"broken .* rm -rf"):
        check_place(root, os.geteuid())


def test_an_environment_moved_from_another_folder_is_named(root: Path) -> None:
    (root / ".venv" / "bin" / "pip").write_text("#!/elsewhere/.venv/bin/python\n")
    with pytest.raises(SetupError, match="made in another folder"):
        check_place(root, os.geteuid())


def test_a_sound_environment_of_our_own_may_be_changed(root: Path) -> None:
    check_place(root, os.geteuid())


@pytest.mark.parametrize("name", INPUTS)
def test_a_change_of_any_input_asks_for_a_new_setup(root: Path, name: str) -> None:
    assert is_ready(root)
    (root / name).write_text("changed")
    assert not is_ready(root)


def test_an_interrupted_setup_is_not_ready(root: Path) -> None:
    (root / ".venv" / "setup.stamp").unlink()
    assert not is_ready(root)


@pytest.mark.parametrize("line", ["global.extra-index-url='x'", ":env:.proxy='p:1'", "global.no-index='true'"])
def test_what_uv_cannot_follow_leaves_the_work_to_pip(line: str) -> None:
    assert uv_settings(f"global.index-url='y'\n{line}\n") is None


def test_pips_own_index_and_certificates_are_handed_to_uv() -> None:
    listed = ["global.index-url='https://a.example/simple'", ":env:.cert='/c.pem'", ":env:.find-links='/w /x'"]
    assert uv_settings("\n".join([*listed, "global.timeout='9'"])) == {
        "UV_DEFAULT_INDEX": "https://a.example/simple",
        "SSL_CERT_FILE": "/c.pem",
        "UV_FIND_LINKS": "/w,/x",
    }


def test_caches_are_off_where_the_home_folder_cannot_be_written(tmp_path: Path) -> None:
    assert without_cache({"HOME": str(tmp_path)}) == {}
    (tmp_path / "file").touch()  # a path through a file: not even root can write below it
    assert without_cache({"XDG_CACHE_HOME": str(tmp_path / "file" / "cache")}) == {
        "UV_NO_CACHE": "1",
        "PIP_NO_CACHE_DIR": "1",
    }


def test_two_setups_at_once_come_one_after_the_other(root: Path) -> None:
    order: list[str] = []

    def second() -> None:
        with one_at_a_time(root):
            order.append("second")

    thread = threading.Thread(target=second)
    with one_at_a_time(root):
        thread.start()
        thread.join(timeout=0.2)  # it must still wait
        order.append("first")
    thread.join(timeout=10)
    assert order == ["first", "second"]
