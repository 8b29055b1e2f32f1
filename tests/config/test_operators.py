"""A wrong operators file stops the start with one clear line per mistake; tokens are known by their digest alone."""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.config.people import person
from worker.accounts import ConfigurationError
from worker.domain.operators import Actor, Role
from worker.operators import MAX_OPERATORS_FILE_BYTES, Operator, Operators, load_operators, new_token

TOKEN = "ann-token-0123456789"
DIGEST = hashlib.sha256(TOKEN.encode()).hexdigest()
ENVIRONMENT = {
    "ANN": DIGEST,
    "BOB": hashlib.sha256(b"bob").hexdigest(),
    "EMPTY": " ",
    "PLAIN": TOKEN,
    "NOTHING": hashlib.sha256(b"").hexdigest(),
    "UPPER": DIGEST.upper() + "\n",
}
Load = Callable[[str], tuple[Operator, ...]]


def entry(name: str = '"ann"', roles: str = '["approver"]', digest: str = 'token_sha256_env = "ANN"') -> str:
    return f"[[operators]]\nname = {name}\nroles = {roles}\n{digest}\n"


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def loaded(toml: str) -> tuple[Operator, ...]:
        path = tmp_path / "operators.toml"
        path.write_text(toml, encoding="utf-8")
        return load_operators(path, ENVIRONMENT)

    return loaded


def mistakes(load: Load, toml: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load(toml)
    assert TOKEN not in str(caught.value)
    assert DIGEST not in str(caught.value)
    return [re.sub(r"^\S*operators\.toml: ", "", line) for line in caught.value.mistakes]


@pytest.mark.parametrize(
    ("toml", "line"),
    [
        ("", "no [[operators]] in it; expected at least one"),
        ("operators = 7", "no [[operators]] in it"),
        (entry() + "[other]\n", "unknown key other; expected [[operators]]"),
        ("[[operators", "is not TOML"),
        (entry(name='""'), "operators[0].name: expected 1 to 40 lower-case letters"),
        (entry(name='"Ann"'), "operators[0].name: expected 1 to 40"),
        (entry(name='"kafka:x"'), "operators[0].name: expected 1 to 40"),
        (entry(name='"api-token"'), "operators[0].name: 'api-token' means somebody else in the audit log"),
        (entry(name='"worker"'), "operators[0].name: 'worker' means somebody else"),
        (entry(roles="[]"), "operators[0].roles: expected one or more of viewer, operator, approver"),
        (entry(roles='["boss"]'), "operators[0].roles.0: Input should be 'viewer', 'operator' or 'approver'"),
        (entry(roles='"approver"'), "operators[0].roles: "),
        (entry(digest=""), "operators[0].token_sha256: expected exactly one of token_sha256_env and token_sha256_file"),
        (entry(digest='token_sha256_env = "NO"'), "operators[0].token_sha256_env: the environment variable NO is"),
        (entry(digest='token_sha256_env = "EMPTY"'), "operators[0].token_sha256_env: the environment variable EMPTY"),
        (entry(digest='token_sha256_file = "/none"'), "operators[0].token_sha256_file: /none cannot be read"),
        (entry(digest='token_sha256_env = "PLAIN"'), "operators[0].token_sha256: expected 64 hexadecimal digits"),
        (entry(digest='token_sha256_env = "NOTHING"'), "operators[0].token_sha256: expected 64 hexadecimal digits"),
        (entry() + entry(digest='token_sha256_env = "BOB"'), "the name 'ann' is used twice; expected one entry per"),
        (entry() + entry(name='"bob"'), "'ann' and 'bob' have the same token; expected one of their own"),
    ],
)  # fmt: skip
def test_each_mistake_is_one_clear_line(load: Load, toml: str, line: str) -> None:
    (found,) = mistakes(load, toml)
    assert found.startswith(line)


def test_a_token_in_the_file_is_refused_with_where_it_belongs(load: Load) -> None:
    found = mistakes(load, entry(digest=f'token = "{TOKEN}"'))
    assert "operators[0].token: tokens are written nowhere; expected token_sha256_env or _file" in found


def test_all_mistakes_are_told_at_once(load: Load) -> None:
    found = mistakes(load, entry(name='"A"') + entry(digest='token_sha256_env = "NO"') + entry(roles="[]"))
    assert [line.partition(".")[0] for line in found] == ["operators[0]", "operators[1]", "operators[2]"]


def test_a_file_that_is_not_there_or_too_large_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_operators(tmp_path / "none.toml", ENVIRONMENT)
    large = tmp_path / "large.toml"
    large.write_bytes(b"#" * (MAX_OPERATORS_FILE_BYTES + 1))
    with pytest.raises(ConfigurationError, match="expected a small TOML file"):
        load_operators(large, ENVIRONMENT)


def test_a_good_file_names_people_with_what_they_may_do(load: Load, tmp_path: Path) -> None:
    held = tmp_path / "bob.sha256"
    held.write_text(ENVIRONMENT["BOB"] + "\n")
    ann, bob = load(entry() + entry('"bob"', '["operator", "approver"]', f'token_sha256_file = "{held}"'))
    assert ann.actor == Actor("ann", frozenset({Role.APPROVER, Role.VIEWER}))
    assert bob.actor.roles == {Role.OPERATOR, Role.APPROVER, Role.VIEWER}
    assert load(entry(digest='token_sha256_env = "UPPER"'))[0].digest.hex() == DIGEST
    assert DIGEST not in repr(ann) + str(ann.model_dump())


def test_everybody_is_known_by_their_own_token_and_nobody_by_another() -> None:
    operators = Operators([person("ann", "approver", "a"), person("bob", "operator", "b")], api_token=" c \n")
    found = [operators.authenticate(token) for token in (b"a", b"b", b"c", b"", b"d", b" a", b"\xff", b"a\x00")]
    assert [actor and actor.name for actor in found] == ["ann", "bob", "api-token", None, None, None, None, None]
    assert Operators().authenticate(b"") is None


def test_a_new_token_is_known_by_the_digest_that_comes_with_it() -> None:
    made, other = new_token(), new_token()
    assert made != other
    assert len(made.token) >= 43
    assert hashlib.sha256(made.token.encode()).hexdigest() == made.sha256
