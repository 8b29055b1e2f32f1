"""Which account a server runs under: Postgres refuses to run as root, so root lends it an unprivileged one."""

import os
import pwd
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from worker.embedded.errors import EmbeddedError


class Identity(TypedDict, total=False):
    """The keyword arguments of `subprocess` that change the account of a child."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True, slots=True)
class Account:
    """An existing account of this machine; never one that we create."""

    name: str
    uid: int
    gid: int

    def own(self, path: Path) -> None:
        """Give `path`, which we made ourselves, to this account."""
        os.chown(path, self.uid, self.gid)


def unprivileged_account(name: str = "nobody") -> Account | None:
    """Return the account to run servers under, or None when we are an ordinary user and need no other."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise EmbeddedError(
            f"Postgres does not run as root and there is no account {name!r} to run it under: start as an ordinary user"
        ) from None
    return Account(name, entry.pw_uid, entry.pw_gid)


def identity_of(account: Account | None) -> Identity:
    """Return what `subprocess` needs to start a child under `account`; nothing for our own account."""
    if account is None:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}
