"""The operators file: who may do what, and where the digest of each person's token is. No token is written anywhere."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from pydantic import AfterValidator, BaseModel, ConfigDict, PrivateAttr, ValidationError

from worker.accounts import ConfigurationError, explain, read_secret
from worker.domain.operators import Actor, Role

MAX_OPERATORS_FILE_BYTES = 262_144
TOKEN_BYTES = 32
TOKEN_VARIABLE = "ORDERSYNC_OPERATOR_TOKEN"  # noqa: S105 - the name of a variable
API_READER = Actor("api-token", frozenset({Role.VIEWER}))
"""Who sends ORDERSYNC_API_TOKEN: a program that reads."""
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")
_TAKEN_NAMES = frozenset({API_READER.name, "this-machine", "worker", "kafka"})
_DIGEST = re.compile(r"[0-9a-f]{64}")
_OF_NOTHING = hashlib.sha256(b"").hexdigest()


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError("expected 1 to 40 lower-case letters, digits, dots, - or _, starting with a letter or digit")
    if value in _TAKEN_NAMES:
        raise ValueError(f"{value!r} means somebody else in the audit log; expected another name")
    return value


def _some(value: tuple[Role, ...]) -> tuple[Role, ...]:
    if not value:
        raise ValueError(f"expected one or more of {', '.join(Role)}")
    return value


class Operator(BaseModel):
    """One person."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: Annotated[str, AfterValidator(_name)]
    roles: Annotated[tuple[Role, ...], AfterValidator(_some)]
    token_sha256_env: str | None = None
    token_sha256_file: Path | None = None

    _digest: bytes = PrivateAttr(b"")

    @property
    def digest(self) -> bytes:
        """Return the SHA-256 of the person's token."""
        return self._digest

    @property
    def actor(self) -> Actor:
        """Return the person as decisions know it; every role includes the viewer's."""
        return Actor(self.name, frozenset({Role.VIEWER, *self.roles}))

    def resolve_digest(self, environment: Mapping[str, str]) -> Iterator[str]:
        """Read the digest; yield a line if it is missing or unusable."""
        try:
            found = read_secret("token_sha256", self.token_sha256_env, self.token_sha256_file, environment).lower()
        except ValueError as error:
            yield str(error)
            return
        if not _DIGEST.fullmatch(found) or found == _OF_NOTHING:
            yield (
                "token_sha256: expected 64 hexadecimal digits, the SHA-256 of a token (not the token itself); "
                "make both with: ordersync operators token"
            )
            return
        self._digest = bytes.fromhex(found)


class Operators:
    """Everybody who has a token. One for the whole process, over HTTP and on the command line."""

    def __init__(self, people: Sequence[Operator] = (), *, api_token: str | None = None) -> None:
        if api_token is not None and not api_token.strip():
            raise ValueError("an empty API token would let everybody in; leave it out to serve this machine only")
        self.people = tuple(person.actor for person in people)
        self._known = [(person.actor, person.digest) for person in people]
        if api_token is not None:
            self._known.append((API_READER, _digest(api_token.strip().encode())))
        self.guards_reading = api_token is not None

    def authenticate(self, token: bytes) -> Actor | None:
        """Return whose token it is. All digests are compared, each in constant time."""
        given = _digest(token)
        found: Actor | None = None
        for actor, digest in self._known:
            if hmac.compare_digest(given, digest):
                found = actor
        return found


class NewToken(msgspec.Struct, frozen=True):
    """A token for the person, and its digest for the operators file."""

    token: str
    sha256: str


def new_token() -> NewToken:
    """Return a token of 256 random bits: so many that a plain digest of it cannot be searched."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    return NewToken(token, _digest(token.encode()).hex())


def load_operators(path: Path, environment: Mapping[str, str] | None = None) -> tuple[Operator, ...]:
    """Return the people of a TOML file. Raises ConfigurationError with one line per mistake."""
    document = _document(path)
    mistakes = [f"{path}: unknown key {key}; expected [[operators]]" for key in document if key != "operators"]
    rows = document.get("operators", [])
    if not isinstance(rows, list) or not rows:
        raise ConfigurationError([*mistakes, f"{path}: no [[operators]] in it; expected at least one"])
    given = os.environ if environment is None else environment
    people: list[Operator] = []
    for number, row in enumerate(rows):
        where = f"{path}: operators[{number}]"
        try:
            person = Operator.model_validate(row)
        except ValidationError as error:
            mistakes += [f"{where}.{line}" for line in explain(error)]
            if isinstance(row, dict) and "token" in row:
                mistakes.append(f"{where}.token: tokens are written nowhere; expected token_sha256_env or _file")
            continue
        mistakes += [f"{where}.{line}" for line in person.resolve_digest(given)]
        people.append(person)
    mistakes += [f"{path}: {line}" for line in _ambiguous(people)]
    if mistakes:
        raise ConfigurationError(mistakes)
    return tuple(people)


def _document(path: Path) -> dict[str, object]:
    try:
        if path.stat().st_size > MAX_OPERATORS_FILE_BYTES:
            raise ConfigurationError(
                [f"{path}: larger than {MAX_OPERATORS_FILE_BYTES} bytes; expected a small TOML file"]
            )
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError([f"{path}: cannot be read ({error.strerror}); expected the operators file"]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError([f"{path}: is not TOML ({error})"]) from error


def _ambiguous(people: list[Operator]) -> Iterator[str]:
    """Yield a line per name or token that stands for two people: four eyes must be two pairs."""
    names: set[str] = set()
    owners: dict[bytes, str] = {}
    for person in people:
        if person.name in names:
            yield f"the name {person.name!r} is used twice; expected one entry per person, with all their roles"
        names.add(person.name)
        owner = owners.setdefault(person.digest, person.name) if person.digest else person.name
        if owner != person.name:
            yield f"{owner!r} and {person.name!r} have the same token; expected one of their own for each person"


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()
