"""Makes `.venv` hold exactly what requirements/dev.txt pins, plus this project as an editable install.

Run by `make setup` with the system's Python, so it uses the standard library alone. Does nothing when nothing changed;
a second run at the same time waits for the first. Every package is checked against its hash.

uv installs in seconds what takes pip half a minute, but does not read pip's configuration. So pip installs uv, the
settings of pip that uv understands are handed on, and where there are others, or uv fails, pip does the whole work.
"""

from __future__ import annotations

import argparse
import ast
import fcntl
import hashlib
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

OLDEST = (3, 11)
INPUTS = ("pyproject.toml", "requirements/bootstrap.txt", "requirements/dev.txt", "tools/setup_venv.py")

# pip's settings that uv takes under another name; find-links is a list, which uv wants with commas.
PIP_TO_UV = {"index-url": "UV_DEFAULT_INDEX", "find-links": "UV_FIND_LINKS", "cert": "SSL_CERT_FILE"}
PIP_ONLY = frozenset({"extra-index-url", "no-index", "proxy", "trusted-host", "client-cert"})


class SetupError(Exception):
    """Something that only a person can put right; the text says what to do."""


def digest(root: Path) -> str:
    """Names the state that `.venv` was made for: the inputs, and the place, which its scripts carry in them."""
    total = hashlib.sha256(str(root).encode())
    for name in INPUTS:
        total.update((root / name).read_bytes())
    return total.hexdigest()


def is_ready(root: Path) -> bool:
    """Whether `.venv` is finished, still runs and was made from just these inputs."""
    stamp = root / ".venv" / "setup.stamp"
    python = root / ".venv" / "bin" / "python"
    return os.access(python, os.X_OK) and stamp.is_file() and stamp.read_text() == digest(root)


def check_python(version: tuple[int, int], *, has_ensurepip: bool) -> None:
    """Refuses a Python that cannot make the environment."""
    if version < OLDEST:
        found = ".".join(map(str, version))
        raise SetupError(f"Python {found} is too old: 3.11 or newer is needed. Name one: make setup PYTHON=python3.11")
    if not has_ensurepip:
        raise SetupError("this Python makes no virtual environments: install the package python3-venv, or name another")


def check_place(root: Path, user: int) -> None:
    """Refuses a `.venv` that is not ours to change, and one that does not work."""
    venv = root / ".venv"
    if not venv.exists():
        if not os.access(root, os.W_OK):
            raise SetupError(f"{root} is not writable for this user: work in a clone of your own")
        return
    owner = venv.stat().st_uid
    if owner != user:
        raise SetupError(
            f"{venv} belongs to another user (uid {owner}, you are {user}) and is not ready for you. "
            f"Work in a clone of your own, or have its owner remove it: rm -rf {venv}"
        )
    probe = [str(venv / "bin" / "python"), "-m", "pip", "--version"]
    if not (venv / "pyvenv.cfg").is_file() or not (venv / "bin" / "pip").is_file() or not _runs(probe):
        raise SetupError(f"{venv} is broken (half made, or its Python is gone). Remove it and try again: rm -rf {venv}")
    if str(venv).encode() not in (venv / "bin" / "pip").read_bytes()[:400]:  # its scripts begin with its own path
        raise SetupError(f"{venv} was made in another folder and moved here. Remove it and try again: rm -rf {venv}")


def uv_settings(pip_config: str) -> dict[str, str] | None:
    """Translates the output of `pip config list` to uv's environment; None when only pip can follow it.

    Lines look like `global.index-url='…'` or `:env:.cert='…'`; the later line wins, as in pip.
    """
    settings: dict[str, str] = {}
    for line in pip_config.splitlines():
        name, _, quoted = line.partition("=")
        key = name.rpartition(".")[2]
        if key in PIP_ONLY:
            return None
        if key in PIP_TO_UV:
            value = str(ast.literal_eval(quoted))
            settings[PIP_TO_UV[key]] = ",".join(value.split()) if key == "find-links" else value
    return settings


def without_cache(environment: Mapping[str, str]) -> dict[str, str]:
    """Switches the caches off where the home folder is not writable: `su` and `runuser` may keep another's HOME."""
    cache = Path(environment.get("XDG_CACHE_HOME") or Path(environment.get("HOME", "/")) / ".cache")
    while not os.path.lexists(cache) and cache != cache.parent:
        cache = cache.parent
    return {} if os.access(cache, os.W_OK | os.X_OK) else {"UV_NO_CACHE": "1", "PIP_NO_CACHE_DIR": "1"}


@contextmanager
def one_at_a_time(root: Path) -> Iterator[None]:
    """Holds a lock that the kernel drops when this process ends, whatever way it ends; leaves no file behind."""
    with (root / "requirements" / "dev.txt").open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("another setup is at work here; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def install(root: Path) -> None:
    """Creates what is missing and writes the stamp last, so that an interrupted setup is taken up again."""
    python = str(root / ".venv" / "bin" / "python")
    if not (root / ".venv").exists():
        _say(f"creating .venv with Python {sys.version.split()[0]} ({sys.executable})")
        _run([sys.executable, "-m", "venv", str(root / ".venv")], root)
    environment = {"UV_PYTHON_DOWNLOADS": "never", **without_cache(os.environ)}
    _say("installing the pinned packages")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if not _install_with_uv(root, python, pip, environment):
        _run([*pip, "--require-hashes", "-r", "requirements/dev.txt"], root, environment)
        _run([*pip, "--no-deps", "--no-build-isolation", "-e", "."], root, environment)
    (root / ".venv" / "setup.stamp").write_text(digest(root))


def _install_with_uv(root: Path, python: str, pip: list[str], environment: dict[str, str]) -> bool:
    """Returns False where pip has to do it."""
    listed = subprocess.run(  # noqa: S603  the command is ours
        [python, "-m", "pip", "config", "list"], cwd=root, capture_output=True, text=True, check=True
    )
    settings = uv_settings(listed.stdout)
    if settings is None:
        _say("pip's own configuration asks for pip; this takes about half a minute")
        return False
    environment = {**settings, **environment}
    uv = [python, "-m", "uv", "--quiet", "pip"]
    try:
        _run([*pip, "--require-hashes", "-r", "requirements/bootstrap.txt"], root, environment)
        _run([*uv, "sync", "--python", python, "--require-hashes", "requirements/dev.txt"], root, environment)
        _run([*uv, "install", "--python", python, "--no-deps", "--no-build-isolation", "-e", "."], root, environment)
    except SetupError as error:
        _say(f"{error}; trying with pip")
        return False
    return True


def _runs(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603  the command is ours
    except OSError:
        return False


def _run(command: list[str], root: Path, extra: Mapping[str, str] | None = None) -> None:
    code = subprocess.run(command, cwd=root, env={**os.environ, **(extra or {})}, check=False).returncode  # noqa: S603  the command is ours
    if code:
        raise SetupError(f"`{' '.join(command)}` failed (exit {code})")


def _say(text: str) -> None:
    print(f"setup: {text}", flush=True)


def main() -> int:
    """Runs the setup; with --quiet says nothing where there is nothing to do."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quiet", action="store_true", help="say nothing when everything is in place")
    quiet = parser.parse_args().quiet
    root = Path(__file__).resolve().parent.parent
    try:
        if not is_ready(root):
            check_python(sys.version_info[:2], has_ensurepip=_runs([sys.executable, "-c", "import ensurepip"]))
            with one_at_a_time(root):
                if not is_ready(root):
                    check_place(root, os.geteuid())
                    install(root)
    except SetupError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    if not quiet:
        _say("ready: .venv/bin/ordersync --help")
    return 0


if __name__ == "__main__":
    sys.exit(main())
