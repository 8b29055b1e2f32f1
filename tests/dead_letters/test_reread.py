"""A kept message is read anew by the parser of the account that it came for."""

from pathlib import Path

import pytest

from tests.delivery.programs import ACCESS_KEY, ACCOUNT, USER
from tests.intake.stage import NOW, ORDER_ID, PAID
from worker.accounts import Account, load_accounts
from worker.broker.envelope import Unrecognised
from worker.composition.doors import reread
from worker.marketplaces.events import NotUnderstoodError
from worker.marketplaces.pandapon.callbacks import parse


@pytest.fixture
def accounts(tmp_path: Path) -> tuple[Account, ...]:
    path = tmp_path / "accounts.toml"
    path.write_text(ACCOUNT.format(base_url="http://127.0.0.1:1", access_key=ACCESS_KEY, user=USER))
    return load_accounts(path, {"MAIN_SECRET": "sandbox-secret", "MAIN_TOKEN": "t0ken-of-the-tests-0123456789"})


def test_its_facts_have_the_ids_that_they_would_have_had_at_first(accounts: tuple[Account, ...]) -> None:
    found = list(reread(accounts, Unrecognised("main", "a bug that is mended", PAID, NOW)))
    assert [fact.key.order_id for fact in found] == [ORDER_ID]
    assert [fact.derive_id() for fact in found] == [fact.derive_id() for fact in parse("main", PAID, NOW)]


def test_what_is_still_not_understood_says_so(accounts: tuple[Account, ...]) -> None:
    with pytest.raises(NotUnderstoodError):
        list(reread(accounts, Unrecognised("main", "unknown", b"{}", NOW)))


def test_a_message_of_an_account_that_is_gone_is_not_read_by_another(accounts: tuple[Account, ...]) -> None:
    with pytest.raises(LookupError, match="no account 'second' any more"):
        list(reread(accounts, Unrecognised("second", "unknown", PAID, NOW)))
