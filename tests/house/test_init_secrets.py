"""deploy/init-secrets.sh makes secrets once and never changes one."""

from __future__ import annotations

import shutil
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest

from tools.report import ROOT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def deploy(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "deploy" / "init-secrets.sh", tmp_path)
    (tmp_path / "secrets").mkdir()
    return tmp_path


def make_secrets(deploy: Path) -> str:
    done = subprocess.run([str(deploy / "init-secrets.sh")], capture_output=True, text=True, check=True)  # noqa: S603  a copy of our own script
    return done.stdout + done.stderr


def contents(deploy: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (deploy / "secrets").iterdir()}


def test_a_second_run_changes_nothing(deploy: Path) -> None:
    (deploy / "secrets" / "ordersync_api_token").write_text("mine")
    make_secrets(deploy)
    before = contents(deploy)
    assert before["ordersync_api_token"] == "mine"
    assert "wrote" not in make_secrets(deploy)
    assert contents(deploy) == before


@pytest.mark.parametrize("secret", ["main_access_secret", "ann_token_sha256", "ole_token_sha256"])
def test_what_only_others_know_is_asked_for_and_never_made_up(deploy: Path, secret: str) -> None:
    def asked() -> bool:
        told = [line for line in make_secrets(deploy).splitlines() if line.startswith("to do: put ")]
        return any(line.endswith(f" into deploy/secrets/{secret}") for line in told)

    assert asked()
    assert secret not in contents(deploy)
    (deploy / "secrets" / secret).write_text("given")
    assert not asked()


def test_passwords_are_long_and_differ_and_the_address_carries_its_own(deploy: Path) -> None:
    make_secrets(deploy)
    made = contents(deploy)
    random = [made["postgres_password"], made["ordersync_api_token"], made["main_callback_token"]]
    random.append(made["worker_database_password"])
    assert len(set(random)) == 4
    assert {len(secret) for secret in random} == {64}
    owner = f"postgresql://ordersync:{made['postgres_password']}@postgres:5432/ordersync"
    worker = f"postgresql://ordersync_worker:{made['worker_database_password']}@postgres:5432/ordersync"
    assert (made["owner_database_url"], made["ordersync_database_url"]) == (owner, worker)


def test_the_folder_is_closed_and_the_files_are_readable_in_containers(deploy: Path) -> None:
    make_secrets(deploy)
    assert stat.S_IMODE((deploy / "secrets").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (deploy / "secrets").iterdir()} == {0o644}
