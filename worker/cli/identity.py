"""Who sits at the command line: the same token that the HTTP API asks for, from the environment."""

from __future__ import annotations

from worker.accounts import ConfigurationError
from worker.domain.operators import Actor, Role
from worker.operators import TOKEN_VARIABLE
from worker.settings import Settings, environment, operators_of

ONLOOKER = Actor("command-line", frozenset({Role.VIEWER}))


def who(settings: Settings) -> Actor:
    """Return whose token is in ORDERSYNC_OPERATOR_TOKEN. Raises ConfigurationError that says what to do."""
    token = environment().get(TOKEN_VARIABLE, "").strip()
    if not token:
        raise ConfigurationError([f"{TOKEN_VARIABLE}: is not set; expected your token (see operators in the manual)"])
    actor = operators_of(settings).authenticate(token.encode())
    if actor is None:
        raise ConfigurationError([f"{TOKEN_VARIABLE}: is nobody's token; expected one of the operators file"])
    return actor


def who_if_any(settings: Settings) -> Actor:
    """Return whose token is set; without one, somebody who only looks: who has the database's password may."""
    return who(settings) if environment().get(TOKEN_VARIABLE, "").strip() else ONLOOKER
