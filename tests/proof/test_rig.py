"""The small parts of the rig: the clock that is wrong on purpose, and the configuration it writes."""

import time
from pathlib import Path

from proof.rig.clock import LOOK_EVERY_S, FileClock, set_offset
from proof.rig.configuration import worker_environment, write_accounts
from tests.waiting import until
from worker.accounts import load_accounts
from worker.domain.clock import HOUR
from worker.settings import Settings


def wrong_by(clock: FileClock) -> int:
    return clock.now_ms() - time.time_ns() // 1_000_000


async def test_a_clock_is_wrong_by_what_its_file_says_and_right_without(tmp_path: Path) -> None:
    file = tmp_path / "worker-1.clock"
    clock = FileClock(file)
    assert abs(wrong_by(clock)) < 1_000
    set_offset(file, -HOUR)
    await until(lambda: abs(wrong_by(clock) + HOUR) < 1_000, 10 * LOOK_EVERY_S + 5)
    file.write_text("nonsense")
    await until(lambda: abs(wrong_by(clock)) < 1_000, 10 * LOOK_EVERY_S + 5)


def test_what_it_configures_the_worker_accepts(tmp_path: Path) -> None:
    accounts = tmp_path / "accounts.toml"
    write_accounts(accounts, "http://127.0.0.1:12345", daily_budget=1_000)
    given = worker_environment(accounts, dsn="postgresql://u:p@127.0.0.1:1/x", kafka="127.0.0.1:2", port=3, name="w")
    (account,) = load_accounts(accounts, given)
    assert (account.base_url, account.policy.daily_budget) == ("http://127.0.0.1:12345", 100_000)
    assert account.policy.book_international, "all effects are played"
    known = {f"ORDERSYNC_{name.upper()}" for name in Settings.model_fields}
    assert {name for name in given if name.startswith("ORDERSYNC_")} <= known
