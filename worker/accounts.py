"""The accounts file: which credentials at which API, how their callbacks prove themselves, and what may be paid."""

from __future__ import annotations

import ipaddress
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    model_validator,
)

from worker.catalogue.operation import Dialect
from worker.catalogue.tables import operations_of
from worker.domain.identity import valid_account_name
from worker.policy_config import PolicyConfig

MAX_ACCOUNTS_FILE_BYTES = 1_048_576
MIN_TOKEN_CHARS = 16
MAX_SECRET_BYTES = 4_096
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_URL = re.compile(r"[!-~]+")  # printable ASCII without spaces: what may stand in a URL or a header as it is
_TOKEN = re.compile(rf"[A-Za-z0-9._~-]{{{MIN_TOKEN_CHARS},}}")
_HOST = re.compile(r"(?:[a-z0-9-]+\.)+[a-z]{2,}")
_EXPLAINED = {"missing": "is not set; it is required", "extra_forbidden": "there is no such key"}
_PATH = re.compile(r"/[!-~]*")
_KEPT_ELSEWHERE = ("access_secret", "callback_token", "access_token", "refresh_token")


class ConfigurationError(Exception):
    """Mistakes in settings or accounts: one clear line each (which key, what is wrong, what is expected)."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


def _name(value: str) -> str:
    if not valid_account_name(value):
        raise ValueError("expected 1 to 40 lower-case letters, digits, - or _, starting with a letter or digit")
    return value


def _base_url(value: str) -> str:
    parts = urlsplit(value)
    if not _URL.fullmatch(value) or not _has_valid_port(parts):
        raise ValueError("expected an address without spaces, in ASCII, with a port from 1 to 65535 or none")
    if parts.scheme not in {"https", "http"} or not parts.hostname:
        raise ValueError("expected an address such as https://api.pandapon.com")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("expected an address without user, password, query or fragment")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK_NAMES:
        raise ValueError("expected https: plain http carries the keys in the clear and is only accepted to loopback")
    return value.rstrip("/")


def _has_valid_port(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False


def _header_value(value: str) -> str:
    if value and not _URL.fullmatch(value):
        raise ValueError("expected printable ASCII without spaces: it is sent as an HTTP header")
    return value


def _operation_paths(value: dict[str, str], dialect: str) -> Iterator[str]:
    """Yield a line per entry that names no operation of the dialect, or gives no path."""
    known = {operation.name for operation in operations_of(Dialect(dialect))}
    for name, path in value.items():
        if name not in known:
            yield f"paths: {name!r} is no operation of {dialect}; expected a name of docs/operations-of-the-apis.md"
        if not _PATH.fullmatch(path) or "?" in path or "#" in path:
            yield f'paths: {name!r} expected a path such as "/v2/taobao/order/detail"'


def _host(value: str) -> str:
    if not _HOST.fullmatch(value):
        raise ValueError('expected a domain in lower case, such as "1688.com", with at least one dot')
    return value


def _network(value: str) -> str:
    ipaddress.ip_network(value, strict=False)
    return value


class Account(BaseModel):
    """One account. Secrets are named here and read from the environment or a file, never written here."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: Annotated[str, AfterValidator(_name)]
    dialect: Literal["pandapon", "xport", "alibaba1688"]
    base_url: Annotated[str, AfterValidator(_base_url)]
    access_key: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_header_value)]
    access_secret_env: str | None = None
    access_secret_file: Path | None = None
    user_id: Annotated[str, Field(max_length=200), AfterValidator(_header_value)] = ""
    callback_auth: Literal["token", "signature", "none"] = "token"
    callback_token_env: str | None = None
    callback_token_file: Path | None = None
    callback_networks: tuple[Annotated[str, AfterValidator(_network)], ...] = ()
    timestamp_in_seconds: bool = False  # inferred: samples sign milliseconds, one public client seconds
    poll_interval_s: Annotated[float, Field(gt=0, le=86_400)] = 60.0
    poll_overlap_s: Annotated[float, Field(ge=0, le=86_400)] = 300.0
    backfill_days: Annotated[int, Field(ge=0, le=730)] = 7
    poll_window_s: Annotated[float, Field(ge=60, le=2_592_000)] = 86_400.0
    max_concurrent_reads: Annotated[int, Field(ge=1, le=64)] = 4
    sweep_s: Annotated[float, Field(gt=0, le=86_400)] = 600.0  # orders in doubt; others less often, see sweep_store
    rate_per_s: Annotated[float, Field(gt=0, le=10_000)] = 8.0  # no official figure; integrators met limits near 10
    burst: Annotated[int, Field(ge=1, le=10_000)] = 8
    throttle_pause_s: Annotated[float, Field(gt=0, le=120)] = 10.0  # the first; each further one doubles, up to 120 s
    api_version: Literal["v1", "v2"] = "v1"
    paths: dict[str, str] = {}  # operation → path, where nobody knows it
    access_token_env: str | None = None
    access_token_file: Path | None = None
    refresh_token_env: str | None = None
    refresh_token_file: Path | None = None
    access_token_ends_at: AwareDatetime | None = None  # known of tokens that the console issued
    refresh_token_ends_at: AwareDatetime | None = None
    postpone_refresh_token: bool = False  # extend it in its last 30 days and write the new one into its file
    timestamped: bool = True  # 1688: `_aop_timestamp` is optional for the buyer's operations
    refund_list: bool = False  # PandaPon marks Taobao's after-sales list as "in development"
    image_hosts: tuple[str, ...] = ("alicdn.com", "1688.com", "taobao.com", "tmall.com")
    record_exchanges: bool = False  # write every exchange down, see `record_directory` of the settings
    pay_hosts: tuple[Annotated[str, AfterValidator(_host)], ...] = (  # where a link to pay may lead
        "1688.com",
        "alipay.com",
        "taobao.com",
        "tmall.com",
    )
    pay_batch_size: Annotated[int, Field(ge=1, le=30)] = 1  # inferred: the answer to a submission is not documented
    definite_refusals: bool = True  # inferred: PandaPon's 400, 404, 409 mean that nothing happened (never of money)
    policy: PolicyConfig = PolicyConfig()

    _access_secret: str = PrivateAttr("")
    _callback_token: str = PrivateAttr("")
    _access_token: str = PrivateAttr("")
    _refresh_token: str = PrivateAttr("")

    @model_validator(mode="after")
    def _paths_are_known(self) -> Self:
        mistakes = list(_operation_paths(self.paths, self.dialect))
        if mistakes:
            raise ValueError("; ".join(mistakes))
        return self

    @model_validator(mode="after")
    def _postpones_what_it_can_keep(self) -> Self:
        if self.postpone_refresh_token and (self.refresh_token_file is None or self.refresh_token_ends_at is None):
            raise ValueError(
                "postpone_refresh_token: expected refresh_token_file, a file that the worker may write to, since the "
                "old token ends with its extension, and refresh_token_ends_at, when the first one ends"
            )
        return self

    @property
    def access_token(self) -> str:
        """Return the buyer's token at the 1688 open platform (empty for other dialects)."""
        return self._access_token

    @property
    def refresh_token(self) -> str:
        """Return the token that gets a new access token; empty where the console issued a lasting one."""
        return self._refresh_token

    @property
    def access_secret(self) -> str:
        """Return the secret that signs requests."""
        return self._access_secret

    @property
    def callback_token(self) -> str:
        """Return the token in the callback's address (empty unless `callback_auth` is `token`)."""
        return self._callback_token

    def resolve_secrets(self, environment: Mapping[str, str]) -> Iterator[str]:
        """Read the secrets; yield a line per secret that is missing or unusable."""
        try:
            self._access_secret = read_secret(
                "access_secret", self.access_secret_env, self.access_secret_file, environment
            )
        except ValueError as error:
            yield str(error)
        if self.dialect == "alibaba1688":
            yield from self._resolve_tokens(environment)
        if self.callback_auth == "token":
            try:
                token = read_secret("callback_token", self.callback_token_env, self.callback_token_file, environment)
                if not _TOKEN.fullmatch(token):
                    raise ValueError(  # noqa: TRY301 - one way out for all mistakes
                        "callback_token: the token is too short, or some of it cannot stand in a URL; expected at "
                        f"least {MIN_TOKEN_CHARS} random letters and digits, since it is all that proves a callback"
                    )
                self._callback_token = token
            except ValueError as error:
                yield str(error)

    def _resolve_tokens(self, environment: Mapping[str, str]) -> Iterator[str]:
        try:
            self._access_token = read_secret("access_token", self.access_token_env, self.access_token_file, environment)
        except ValueError as error:
            yield str(error)
        if self.refresh_token_env is None and self.refresh_token_file is None:
            return
        try:
            self._refresh_token = read_secret(
                "refresh_token", self.refresh_token_env, self.refresh_token_file, environment
            )
        except ValueError as error:
            yield str(error)


def load_accounts(path: Path, environment: Mapping[str, str] | None = None) -> tuple[Account, ...]:
    """Return the accounts of a TOML file. Raises ConfigurationError with one line per mistake."""
    try:
        if path.stat().st_size > MAX_ACCOUNTS_FILE_BYTES:
            raise ConfigurationError(
                [f"{path}: larger than {MAX_ACCOUNTS_FILE_BYTES} bytes; expected a small TOML file"]
            )
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError([f"{path}: cannot be read ({error.strerror}); expected the accounts file"]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError([f"{path}: is not TOML ({error})"]) from error
    mistakes = [f"{path}: unknown key {key}; expected [[accounts]]" for key in document if key != "accounts"]
    rows = document.get("accounts", [])
    if not isinstance(rows, list) or not rows:
        raise ConfigurationError([*mistakes, f"{path}: no [[accounts]] in it; expected at least one"])
    accounts: list[Account] = []
    for number, row in enumerate(rows):
        where = f"{path}: accounts[{number}]"
        try:
            account = Account.model_validate(row)
        except ValidationError as error:
            mistakes += [f"{where}.{line}" for line in explain(error)]
            continue
        given = os.environ if environment is None else environment
        mistakes += [f"{where}.{line}" for line in account.resolve_secrets(given)]
        accounts.append(account)
    names = [account.name for account in accounts]
    mistakes += [f"{path}: the name {name!r} is used twice; expected unique names" for name in _repeated(names)]
    mistakes += [f"{path}: {line}" for line in _paying_twice(accounts)]
    if mistakes:
        raise ConfigurationError(mistakes)
    return tuple(accounts)


def _paying_twice(accounts: list[Account]) -> Iterator[str]:
    """Yield a line per pair of names under which one order could be paid: each name has a ledger of its own."""
    payers: dict[tuple[str, str], str] = {}
    for account in accounts:
        if account.policy.auto_pay:
            first = payers.setdefault((account.base_url, account.access_key), account.name)
            if first != account.name:
                yield (
                    f"accounts {first!r} and {account.name!r} pay with the same access_key at the same base_url; "
                    "expected auto_pay in one of them only, or an order could be paid under both names"
                )


def explain(error: ValidationError) -> Iterator[str]:
    """Yield one line per mistake. The value itself is left out: it may be a secret."""
    for mistake in error.errors(include_input=False, include_url=False):
        where = ".".join(str(part) for part in mistake["loc"]) or "(whole)"
        text = _EXPLAINED.get(mistake["type"], mistake["msg"].removeprefix("Value error, "))
        if mistake["type"] == "extra_forbidden" and where in _KEPT_ELSEWHERE:
            text = f"secrets are not written here; expected {where}_env or {where}_file, which say where it is"
        yield f"{where}: {text}"


def read_secret(name: str, variable: str | None, file: Path | None, environment: Mapping[str, str]) -> str:
    """Return what `variable` or `file` holds, without white space around. Raises ValueError if there is nothing."""
    if (variable is None) == (file is None):
        raise ValueError(f"{name}: expected exactly one of {name}_env and {name}_file")
    if variable is not None:
        value = environment.get(variable, "").strip()
        if not value:
            raise ValueError(f"{name}_env: the environment variable {variable} is not set or empty")
        return value
    assert file is not None  # noqa: S101 - follows from the first check
    try:
        with file.open("rb") as opened:
            raw = opened.read(MAX_SECRET_BYTES + 1)
        value = raw.decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{name}_file: {file} cannot be read ({type(error).__name__})") from error
    if len(raw) > MAX_SECRET_BYTES:
        raise ValueError(f"{name}_file: {file} is larger than {MAX_SECRET_BYTES} bytes; expected the secret alone")
    if not value:
        raise ValueError(f"{name}_file: {file} is empty")
    return value


def _repeated(names: list[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})
