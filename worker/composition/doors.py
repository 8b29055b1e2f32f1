"""The ways in that the accounts' callbacks take, and who reads what comes through them."""

from __future__ import annotations

from collections.abc import Iterable

from worker.accounts import Account
from worker.broker.envelope import Unrecognised
from worker.catalogue.operation import Dialect
from worker.domain.facts import Fact
from worker.intake.callbacks import Parser
from worker.intake.doors import Door, DoorKind
from worker.marketplaces.alibaba1688.callbacks import parse as parse_push
from worker.marketplaces.pandapon.callbacks import parse as parse_callback


def build_door(account: Account) -> Door:
    """Return the way in that an account's callbacks take."""
    return Door(
        account.name,
        DoorKind(account.callback_auth),
        token=account.callback_token,
        access_key=account.access_key,
        access_secret=account.access_secret,
        networks=account.callback_networks,
        dialect=Dialect(account.dialect),
    )


def parser_of(account: Account) -> Parser:
    """Return what reads an account's messages."""
    return parse_push if Dialect(account.dialect) is Dialect.ALIBABA1688 else parse_callback


def reread(accounts: Iterable[Account], message: Unrecognised) -> Iterable[Fact]:
    """Read a kept message anew, by the account it came for. Raises what the parser raises, LookupError without one."""
    for account in accounts:
        if account.name == message.account:
            return parser_of(account)(account.name, message.body, message.received_at)
    raise LookupError(f"there is no account {message.account[:40]!r} any more")
