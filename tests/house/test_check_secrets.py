"""The scan finds secrets of every shape, never repeats one, and lets what is none pass."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tools.check_secrets import ALLOWED, check, findings
from tools.report import ROOT

if TYPE_CHECKING:
    from pathlib import Path

RANDOM = "q7Zx1Lk9" + "Vt3Rb8Nw2" + "Hs6Yd4Mf"  # in pieces, or it would be found here
DIGEST = "5f4dcc3b5aa765d6" + "1d8327deb882cf99"
SECRETS = {
    "private key": "-----BEGIN RSA " + "PRIVATE KEY-----",
    "cloud": "key = AKIA" + "IOSFODNN7EXAMPLE",
    "other cloud": "LTAI" + "5tExampleExample1",
    "code host": "ghp_" + "a1B2c3D4e5" * 4,
    "chat": "https://hooks.slack" + ".com/services/T01/B02/abcDEF123",
    "web token": "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0NTY3" + ".c2lnbmF0dXJlLW9mLXRoZS10b2tlbg",
    "address": f"postgresql://ordersync:{RANDOM}@db:5432/x",
    "python": f'ACCESS_SECRET = "{RANDOM}"',
    "toml": f'access_secret = "{DIGEST}"',
    "json": f'{{"api_key": "{RANDOM}"}}',
    "yaml": f"password: '{RANDOM}'",
}
HARMLESS = (
    'access_secret_env = "MAIN_SECRET"',
    'callback_token_file = "/run/secrets/main_callback_token"',
    "postgresql://user:password@host:port/database",
    "postgresql://{user}:{password}@127.0.0.1/x",
    'token = "a-token-that-nobody-guesses"',
    "signature = hmac.new(key, body).hexdigest()",
    f'digest = "{DIGEST}"',
    'access_key = "put-your-access-key-here"',
)


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_found_and_not_repeated(name: str) -> None:
    (found,) = findings("deploy/x.toml", f"# first\n{SECRETS[name]}\n")
    assert found.startswith("deploy/x.toml:2: ")
    assert RANDOM not in found
    assert DIGEST not in found


@pytest.mark.parametrize("line", HARMLESS)
def test_what_is_none_passes(line: str) -> None:
    assert list(findings("deploy/x.toml", line)) == []


def test_a_line_may_say_that_it_is_none() -> None:
    assert list(findings("x.py", f"{SECRETS['python']}  # {ALLOWED}: an example of the manual")) == []


def test_in_tests_values_may_be_invented_but_not_shapes() -> None:
    assert list(findings("tests/x.py", SECRETS["python"])) == []
    assert len(list(findings("tests/x.py", SECRETS["code host"]))) == 1


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)  # noqa: S603, S607 - a repository of the test
    return tmp_path


def test_files_that_git_would_take_are_read_and_ignored_ones_are_not(repository: Path) -> None:
    (repository / ".gitignore").write_text("local.toml\n")
    (repository / "local.toml").write_text(SECRETS["toml"])
    (repository / "shared.toml").write_text(SECRETS["toml"])
    (repository / "picture.bin").write_bytes(b"\xff\x00\xfe")
    problems, read = check(repository)
    assert problems == ["shared.toml:1: a random value beside the name access_secret"]
    assert read == 3


def test_a_tree_without_git_is_an_error_and_not_clean(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="git ls-files failed"):
        check(tmp_path)


def test_this_tree_has_none() -> None:
    problems, read = check(ROOT)
    assert problems == []
    assert read > 300
