"""A wrong accounts file stops the start with one clear line per mistake, none of which shows a secret."""

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from worker.accounts import MAX_ACCOUNTS_FILE_BYTES, MAX_SECRET_BYTES, Account, ConfigurationError, load_accounts
from worker.domain.identity import Platform
from worker.policy_config import PolicyConfig

SECRET = "the-secret-itself-9f2c"
TOKEN = "the-token-itself-7d1e"
ENVIRONMENT = {
    "MAIN_SECRET": SECRET,
    "MAIN_TOKEN": TOKEN,
    "SHORT": "tooshort",
    "EMPTY": "  ",
    "SPACED": f"  {SECRET}\n",
}

GOOD = {
    "name": '"main"',
    "dialect": '"pandapon"',
    "base_url": '"https://api.pandapon.com"',
    "access_key": '"58c0201dfdf148eca63cbf6bb5e7cf03"',
    "access_secret_env": '"MAIN_SECRET"',
    "user_id": '"2100007341207"',
    "callback_auth": '"token"',
    "callback_token_env": '"MAIN_TOKEN"',
}
POLICY = {"auto_pay": "true", "auto_pay_limit": '"500.00"', "price_tolerance": '"0.02"'}

Load = Callable[[str], tuple[Account, ...]]


def account(*, without: str = "", policy: dict[str, str] | None = None, **changes: str) -> str:
    """One [[accounts]] table with some values changed; values are TOML."""
    values = {key: value for key, value in (GOOD | changes).items() if key != without}
    lines = ["[[accounts]]", *(f"{key} = {value}" for key, value in values.items()), "[accounts.policy]"]
    return "\n".join([*lines, *(f"{key} = {value}" for key, value in (POLICY if policy is None else policy).items())])


def changed(key: str, value: str) -> str:
    values: dict[str, Any] = {key: value}
    return account(**values)


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def loaded(toml: str) -> tuple[Account, ...]:
        path = tmp_path / "accounts.toml"
        path.write_text(toml, encoding="utf-8")
        return load_accounts(path, ENVIRONMENT)

    return loaded


def mistakes(load: Load, toml: str) -> list[str]:
    """The lines, without the file's name in front of each."""
    with pytest.raises(ConfigurationError) as caught:
        load(toml)
    assert SECRET not in str(caught.value)
    assert TOKEN not in str(caught.value)
    assert "tooshort" not in str(caught.value)
    return [re.sub(r"^\S*accounts\.toml: ", "", line) for line in caught.value.mistakes]


def test_a_good_file_is_read(load: Load) -> None:
    (main,) = load(account())
    assert (main.name, main.dialect, main.base_url) == ("main", "pandapon", "https://api.pandapon.com")
    assert (main.access_secret, main.callback_token) == (SECRET, TOKEN)
    policy = main.policy.to_policy(frozenset({Platform.ALIBABA_1688}))
    assert (policy.auto_pay, policy.auto_pay_limit, policy.price_tolerance) == (True, 50_000, Decimal("0.02"))


def test_what_is_not_said_pays_nothing(load: Load) -> None:
    (main,) = load(account(policy={}))
    policy = main.policy.to_policy(frozenset({Platform.ALIBABA_1688}))
    assert (policy.auto_pay, policy.auto_pay_limit, policy.price_tolerance) == (False, 0, Decimal(0))
    assert policy.four_eyes_above is None


def test_four_eyes_are_asked_for_above_an_amount(load: Load) -> None:
    (main,) = load(account(policy=POLICY | {"four_eyes_above": '"1000.00"'}))
    assert main.policy.to_policy(frozenset()).four_eyes_above == 100_000


def test_neither_a_repr_nor_a_dump_shows_a_secret(load: Load) -> None:
    (main,) = load(account())
    shown = [repr(main), str(main), str(main.model_dump()), main.model_dump_json()]
    assert not [text for text in shown if SECRET in text or TOKEN in text]


ONE_MISTAKE = [
    # key, its value in TOML, what the line says
    ("name", '""', "name: expected 1 to 40 lower-case letters"),
    ("name", '"Main"', "name: expected 1 to 40 lower-case letters"),
    ("name", '"a/b"', "name: expected 1 to 40"),
    ("name", '"' + "x" * 41 + '"', "name: expected 1 to 40"),
    ("name", "7", "name: Input should be a valid string"),
    ("dialect", '"taobao"', "dialect: Input should be 'pandapon', 'xport' or 'alibaba1688'"),
    ("base_url", '""', "base_url: expected an address"),
    ("base_url", '"api.pandapon.com"', "base_url: expected an address such as"),
    ("base_url", '"ftp://api.pandapon.com"', "base_url: expected an address such as"),
    ("base_url", '"https://"', "base_url: expected an address such as"),
    ("base_url", '"http://api.pandapon.com"', "base_url: expected https: plain http carries the keys"),
    ("base_url", '"http://127.0.0.1.evil.example"', "base_url: expected https"),
    ("base_url", '"http://10.0.0.5:8080"', "base_url: expected https"),
    ("base_url", '"https://me:pw@api.pandapon.com"', "base_url: expected an address without user"),
    ("base_url", '"https://api.pandapon.com?x=1"', "base_url: expected an address without user, password, query"),
    ("base_url", '"https://api.pandapon.com/a b"', "base_url: expected an address without spaces"),
    ("base_url", '"https://api.pandapon.com\\n"', "base_url: expected an address without spaces"),
    (
        "base_url",
        '"https://api.pandapon.com:99999"',
        "base_url: expected an address without spaces, in ASCII, with a port",
    ),
    (
        "base_url",
        '"https://api.pandapon.com:port"',
        "base_url: expected an address without spaces, in ASCII, with a port",
    ),
    ("base_url", '"https://api.pandapon.com:0"', "base_url: expected an address without spaces"),
    ("base_url", '"https://[::1"', "base_url: "),
    ("base_url", '"https://熊猫.example"', "base_url: expected an address without spaces, in ASCII"),
    ("access_key", '""', "access_key: String should have at least 1 character"),
    ("access_key", '" key"', "access_key: expected printable ASCII without spaces"),
    ("access_key", '"key\\nX-Evil: 1"', "access_key: expected printable ASCII without spaces"),
    ("access_key", '"钥匙"', "access_key: expected printable ASCII without spaces"),
    ("user_id", "2100007341207", "user_id: Input should be a valid string"),
    ("user_id", '"21 00"', "user_id: expected printable ASCII without spaces"),
    ("access_secret_env", '"NOT_SET"', "access_secret_env: the environment variable NOT_SET is not set or empty"),
    ("access_secret_env", '"EMPTY"', "access_secret_env: the environment variable EMPTY is not set or empty"),
    ("access_secret_file", '"/x"', "access_secret: expected exactly one of access_secret_env and access_secret_file"),
    ("access_secret", f'"{SECRET}"', "access_secret: secrets are not written here; expected access_secret_env or"),
    ("callback_token", f'"{TOKEN}"', "callback_token: secrets are not written here; expected callback_token_env or"),
    ("callback_token_env", '"NOT_SET"', "callback_token_env: the environment variable NOT_SET is not set or empty"),
    ("callback_token_env", '"SHORT"', "callback_token: the token is too short"),
    ("callback_auth", '"password"', "callback_auth: Input should be 'token', 'signature' or 'none'"),
    ("callback_networks", '"10.0.0.0/8"', "callback_networks: Input should be a valid tuple"),
    (
        "callback_networks",
        '["10.0.0.0/8", "nowhere"]',
        "callback_networks.1: 'nowhere' does not appear to be",
    ),
    ("timestamp_in_seconds", '"perhaps"', "timestamp_in_seconds: Input should be a valid boolean"),
    ("poll_interval_s", "0", "poll_interval_s: Input should be greater than 0"),
    ("poll_interval_s", "nan", "poll_interval_s: "),
    ("poll_interval_s", "inf", "poll_interval_s: Input should be less than or equal to 86400"),
    ("poll_overlap_s", "-1", "poll_overlap_s: Input should be greater than or equal to 0"),
    ("backfill_days", "731", "backfill_days: Input should be less than or equal to 730"),
    ("backfill_days", "1.5", "backfill_days: Input should be a valid integer"),
    ("max_concurrent_reads", "0", "max_concurrent_reads: Input should be greater than or equal to 1"),
    ("max_concurrent_reads", "65", "max_concurrent_reads: Input should be less than or equal to 64"),
    ("acces_key", '"x"', "acces_key: there is no such key"),
    ("policy2", "{}", "policy2: there is no such key"),
]


@pytest.mark.parametrize(("key", "value", "line"), ONE_MISTAKE)
def test_one_mistake_is_one_line_that_names_the_key(load: Load, key: str, value: str, line: str) -> None:
    (found,) = mistakes(load, changed(key, value))
    assert found.startswith(f"accounts[0].{line}")


@pytest.mark.parametrize("key", ["name", "dialect", "base_url", "access_key"])
def test_what_is_missing_is_named(load: Load, key: str) -> None:
    assert mistakes(load, account(without=key)) == [f"accounts[0].{key}: is not set; it is required"]


@pytest.mark.parametrize("name", ["access_secret", "callback_token"])
def test_a_secret_has_to_come_from_somewhere(load: Load, name: str) -> None:
    line = f"accounts[0].{name}: expected exactly one of {name}_env and {name}_file"
    assert mistakes(load, account(without=f"{name}_env")) == [line]


POLICY_MISTAKES = [
    ("auto_pay", '"perhaps"', "auto_pay: Input should be a valid boolean"),
    ("auto_pay_limit", "500.00", "auto_pay_limit: expected an amount in quotes"),
    ("auto_pay_limit", "500", "auto_pay_limit: expected an amount in quotes"),
    ("auto_pay_limit", '"much"', "auto_pay_limit: expected an amount in yuan"),
    ("auto_pay_limit", '"500.001"', "auto_pay_limit: expected an amount in yuan"),
    ("auto_pay_limit", '"1,000.00"', "auto_pay_limit: expected an amount in yuan"),
    ("auto_pay_limit", '"Infinity"', "auto_pay_limit: expected an amount in yuan"),
    ("auto_pay_limit", '"-1"', "auto_pay_limit: Input should be greater than or equal to 0"),
    ("four_eyes_above", "1000", "four_eyes_above: expected an amount in quotes"),
    ("four_eyes_above", '"-1"', "four_eyes_above: Input should be greater than or equal to 0"),
    ("price_tolerance", "0.02", "price_tolerance: expected a share in quotes"),
    ("price_tolerance", "0", "price_tolerance: expected a share in quotes"),
    ("price_tolerance", '"2 %"', "price_tolerance: expected a share such as"),
    ("price_tolerance", '"2"', 'price_tolerance: expected a share from "0" to "1"'),
    ("price_tolerance", '"-0.1"', 'price_tolerance: expected a share from "0" to "1"'),
    ("price_tolerance", '"NaN"', 'price_tolerance: expected a share from "0" to "1"'),
    ("daily_limit", '"5"', "daily_limit: there is no such key"),
]


@pytest.mark.parametrize(("key", "value", "line"), POLICY_MISTAKES)
def test_a_policy_is_no_less_strict(load: Load, key: str, value: str, line: str) -> None:
    """An amount is text: a bare number in TOML is a float, and may not be what was written."""
    (found,) = mistakes(load, account(policy=POLICY | {key: value}))
    assert found.startswith(f"accounts[0].policy.{line}")


@pytest.mark.parametrize("limit", [None, '"0"', '"0.00"'])
def test_paying_by_itself_needs_a_limit(load: Load, limit: str | None) -> None:
    policy = {"auto_pay": "true"} | ({} if limit is None else {"auto_pay_limit": limit})
    (found,) = mistakes(load, account(policy=policy))
    assert found.startswith("accounts[0].policy: auto_pay needs auto_pay_limit")


def test_all_mistakes_of_all_accounts_are_said_at_once(load: Load) -> None:
    first = account(name='"A"', base_url='"http://x.example"', policy=POLICY | {"auto_pay_limit": "1.5"})
    second = account(name='"b"', access_secret_env='"NOT_SET"', callback_token_env='"SHORT"')
    third = account(name='"b"')
    keys = [line.partition(": ")[0] for line in mistakes(load, f"{first}\n{second}\n{third}\n[other]\n")]
    assert keys == [
        "unknown key other; expected [[accounts]]",
        "accounts[0].name",
        "accounts[0].base_url",
        "accounts[0].policy.auto_pay_limit",
        "accounts[1].access_secret_env",
        "accounts[1].callback_token",
        "the name 'b' is used twice; expected unique names",
    ]


@pytest.mark.parametrize(
    ("toml", "line"),
    [
        ("", "no [[accounts]] in it; expected at least one"),
        ("accounts = []", "no [[accounts]] in it"),
        ("accounts = 5", "no [[accounts]] in it"),
        ("[accounts]\nname = 'main'", "no [[accounts]] in it"),
        ("accounts = [1]", "accounts[0].(whole): Input should be"),
        ("[[accounts]\n", "is not TOML"),
        ('[[accounts]]\nname = "a"\nname = "b"', "is not TOML"),
    ],
)
def test_a_file_that_lists_no_accounts_says_what_it_should_look_like(load: Load, toml: str, line: str) -> None:
    (found,) = mistakes(load, toml)
    assert found.startswith(line)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "none.toml", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(ConfigurationError, match=f"{path}: cannot be read \\({reason}"):
            load_accounts(path, {})
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="is not TOML"):
        load_accounts(binary, {})
    huge = tmp_path / "huge.toml"
    huge.write_bytes(b"#" * (MAX_ACCOUNTS_FILE_BYTES + 1))
    with pytest.raises(ConfigurationError, match="expected a small TOML file"):
        load_accounts(huge, {})


def with_secret_file(path: Path) -> str:
    return account(without="access_secret_env", access_secret_file=f'"{path}"')


def test_a_secret_comes_from_a_file_without_its_last_line_break(load: Load, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(f"{SECRET}\n")
    assert load(with_secret_file(path))[0].access_secret == SECRET
    assert load(account(access_secret_env='"SPACED"'))[0].access_secret == SECRET


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read (FileNotFoundError)"),
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"\xff\xfe", "cannot be read (UnicodeDecodeError)"),
        (b"x" * (MAX_SECRET_BYTES + 1), f"is larger than {MAX_SECRET_BYTES} bytes; expected the secret alone"),
    ],
)
def test_a_secret_file_that_holds_none_is_named(load: Load, tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    assert mistakes(load, with_secret_file(path)) == [f"accounts[0].access_secret_file: {path} {reason}"]


@pytest.mark.parametrize(
    "token", ["x" * 15, "with/a/slash/in-it", "with a space in it", "query?0123456789abc", "口令" * 16]
)
def test_a_token_that_could_not_stand_in_a_url_is_refused(load: Load, tmp_path: Path, token: str) -> None:
    path = tmp_path / "token"
    path.write_text(token)
    toml = account(without="callback_token_env", callback_token_file=f'"{path}"')
    (found,) = mistakes(load, toml)
    assert "the token is too short, or some of it cannot stand in a URL" in found
    assert token not in found


def test_an_account_whose_callbacks_carry_no_token_needs_none(load: Load) -> None:
    for auth in ("signature", "none"):
        (main,) = load(account(without="callback_token_env", callback_auth=f'"{auth}"'))
        assert main.callback_token == ""


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "LOCALHOST"])
def test_plain_http_is_accepted_to_this_machine_for_the_sandbox(load: Load, host: str) -> None:
    (main,) = load(account(base_url=f'"http://{host}:8090/"'))
    assert main.base_url == f"http://{host}:8090"


def test_an_empty_environment_is_empty_and_not_this_processs_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAIN_SECRET", SECRET)
    monkeypatch.setenv("MAIN_TOKEN", TOKEN)
    path = tmp_path / "accounts.toml"
    path.write_text(account())
    with pytest.raises(ConfigurationError, match="MAIN_SECRET is not set"):
        load_accounts(path, {})
    assert load_accounts(path)[0].access_secret == SECRET


OPEN_PLATFORM: dict[str, Any] = {
    "dialect": '"alibaba1688"',
    "base_url": '"https://gw.open.1688.com"',
    "access_token_env": '"MAIN_SECRET"',
}


def test_the_open_platform_needs_the_buyers_token(load: Load) -> None:
    (loaded,) = load(account(**OPEN_PLATFORM))
    assert loaded.access_token == SECRET
    assert loaded.refresh_token == ""
    (line,) = mistakes(load, account(**OPEN_PLATFORM, without="access_token_env"))
    assert "access_token: expected exactly one of access_token_env and access_token_file" in line


def test_a_refresh_token_is_read_where_one_is_named(load: Load) -> None:
    (loaded,) = load(account(**OPEN_PLATFORM, refresh_token_env='"MAIN_TOKEN"'))
    assert loaded.refresh_token == TOKEN
    (line,) = mistakes(load, account(**OPEN_PLATFORM, refresh_token_env='"EMPTY"'))
    assert "refresh_token_env: the environment variable EMPTY is not set or empty" in line


@pytest.mark.parametrize("name", ["access_token", "refresh_token"])
def test_a_token_written_into_the_file_is_refused_without_being_shown(load: Load, name: str) -> None:
    found = mistakes(load, account(**(OPEN_PLATFORM | {name: f'"{TOKEN}"'})))
    assert any("secrets are not written here" in line for line in found)


def test_a_path_can_be_given_where_nobody_knows_it(load: Load) -> None:
    (loaded,) = load(account(paths='{"taobao.order.detail" = "/v2/taobao/order/detail"}'))
    assert loaded.paths == {"taobao.order.detail": "/v2/taobao/order/detail"}


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        ('{"taobao.order.fetch" = "/x"}', "is no operation of pandapon"),
        ('{"taobao.order.detail" = "x"}', "expected a path such as"),
        ('{"taobao.order.detail" = "https://elsewhere.example/x"}', "expected a path such as"),
        ('{"taobao.order.detail" = "/x?y=1"}', "expected a path such as"),
    ],
)
def test_a_wrong_path_is_explained(load: Load, paths: str, expected: str) -> None:
    (line,) = mistakes(load, account(paths=paths))
    assert expected in line


def test_when_tokens_end_is_said_with_an_offset(load: Load) -> None:
    ends: dict[str, Any] = {
        "access_token_ends_at": "2027-01-01T00:00:00+08:00",
        "refresh_token_ends_at": "2027-01-01T00:00:00Z",
    }
    (loaded,) = load(account(**OPEN_PLATFORM, **ends))
    assert loaded.access_token_ends_at is not None
    assert loaded.refresh_token_ends_at is not None
    assert loaded.refresh_token_ends_at - loaded.access_token_ends_at == timedelta(hours=8)
    (line,) = mistakes(load, account(**OPEN_PLATFORM, access_token_ends_at="2027-01-01T00:00:00"))
    assert "access_token_ends_at: Input should have timezone info" in line


@pytest.mark.parametrize("missing", ["refresh_token_file", "refresh_token_ends_at"])
def test_a_refresh_token_is_only_extended_where_the_new_one_can_be_kept(
    load: Load, tmp_path: Path, missing: str
) -> None:
    (tmp_path / "refresh").write_text(TOKEN)
    given = OPEN_PLATFORM | {
        "postpone_refresh_token": "true",
        "refresh_token_file": f'"{tmp_path / "refresh"}"',
        "refresh_token_ends_at": "2027-01-01T00:00:00Z",
    }
    (loaded,) = load(account(**given))
    assert loaded.postpone_refresh_token
    del given[missing]
    (line,) = mistakes(load, account(**given))
    assert "postpone_refresh_token: expected refresh_token_file" in line


@pytest.mark.parametrize("host", ["1688.com", "cashier.example.com"])
def test_where_links_to_pay_may_lead_is_named_by_domain(load: Load, host: str) -> None:
    (loaded,) = load(account(pay_hosts=f'["{host}"]'))
    assert loaded.pay_hosts == (host,)


@pytest.mark.parametrize("host", ["com", "https://1688.com", "1688.com/", "*.1688.com", "1688.COM", "", "1688 .com"])
def test_a_wrong_domain_is_explained(load: Load, host: str) -> None:
    (line,) = mistakes(load, account(pay_hosts=f'["{host}"]'))
    assert "expected a domain in lower case" in line


def test_a_limit_that_is_given_as_none_is_no_limit() -> None:
    policy = PolicyConfig.model_validate({"daily_budget": None, "monthly_budget": "5.00"})
    assert (policy.daily_budget, policy.monthly_budget) == (None, 500)
