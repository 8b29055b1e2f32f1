"""Settings from the environment (`ORDERSYNC_*`), `.env` or secret files; every limit of the worker is one of them."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, DotEnvSettingsSource, NoDecode, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from worker.accounts import Account, ConfigurationError, explain, load_accounts
from worker.broker.envelope import MAX_KEPT_BYTES
from worker.operators import Operators, load_operators

PREFIX = "ORDERSYNC_"
SECRETS_DIR = Path("/run/secrets")
ENV_FILE = Path(".env")
MAX_PORT = 65_535
LOG_LEVELS = ("debug", "info", "warning", "error")
_TOPIC_PREFIX = re.compile(r"[A-Za-z0-9._-]{0,100}")
_SERVERS = re.compile(r"[^\s,:]+:\d{1,5}(,[^\s,:]+:\d{1,5})*")


def _database(value: SecretStr) -> SecretStr:
    expected = "expected postgresql://user:password@host:port/database"
    if not re.match(r"postgres(ql)?://", value.get_secret_value()):
        raise ValueError(expected)
    try:
        url = make_url(value.get_secret_value())
    except (ValueError, ArgumentError):
        raise ValueError(f"{expected}, with one host, a number as port and odd characters percent-encoded") from None
    if url.port is not None and not 1 <= url.port <= MAX_PORT:
        raise ValueError(f"{expected}, with a port from 1 to {MAX_PORT}")
    if set(url.query) - {"sslmode"}:
        raise ValueError(f"{expected}, with no other option behind a question mark than sslmode")
    return value


def _servers(value: str) -> str:
    if not _SERVERS.fullmatch(value):
        raise ValueError("expected host:port, several separated by commas")
    return value


def _prefix(value: str) -> str:
    if not _TOPIC_PREFIX.fullmatch(value):
        raise ValueError("expected letters, digits, dots, - or _")
    return value


def _level(value: str) -> str:
    if value.lower() not in LOG_LEVELS:
        raise ValueError(f"expected one of {', '.join(LOG_LEVELS)}")
    return value.lower()


def _addresses(value: Any) -> Any:
    """Read a JSON list out of a variable's text. Not left to the library, whose message names no key of ours."""
    if not isinstance(value, str):
        return value
    try:
        found = json.loads(value)
    except ValueError:
        found = None
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise ValueError('expected a JSON list of addresses, such as ["slack://..."]')
    return found


class Settings(BaseSettings):
    """All settings. Times are in seconds unless the name says otherwise."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=ENV_FILE, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    database_url: Annotated[SecretStr, AfterValidator(_database)]
    kafka_bootstrap_servers: Annotated[str, AfterValidator(_servers)]
    accounts_file: Path
    operators_file: Path | None = None
    topic_prefix: Annotated[str, AfterValidator(_prefix)] = ""
    topic_partitions: Annotated[int, Field(ge=1, le=256)] = 6
    topic_replication: Annotated[int, Field(ge=1, le=7)] = 1

    http_host: str = "127.0.0.1"
    http_port: Annotated[int, Field(ge=0, le=MAX_PORT)] = 8080
    http_max_concurrency: Annotated[int, Field(ge=1, le=100_000)] = 2_000
    api_token: SecretStr | None = None

    callback_max_bytes: Annotated[int, Field(ge=1_024, le=MAX_KEPT_BYTES)] = 262_144
    callback_body_timeout_s: Annotated[float, Field(gt=0, le=5)] = 0.3
    callback_kafka_timeout_s: Annotated[float, Field(gt=0, le=5)] = 0.35
    callback_spool_timeout_s: Annotated[float, Field(gt=0, le=5)] = 0.2
    spool_max_events: Annotated[int, Field(ge=1, le=100_000_000)] = 1_000_000

    clock_skew_allowance_s: Annotated[float, Field(ge=0, le=600)] = 5.0
    batch_max_records: Annotated[int, Field(ge=1, le=5_000)] = 500
    batch_wait_ms: Annotated[int, Field(ge=200, le=10_000)] = 200
    dead_letter_limit: Annotated[int, Field(ge=1, le=1_000_000)] = 100
    dead_letter_old_after_s: Annotated[float, Field(ge=60, le=31_536_000)] = 86_400.0
    dead_letter_trickle_days: Annotated[int, Field(ge=1, le=7)] = 3
    consumer_instance: str | None = None

    call_timeout_s: Annotated[float, Field(gt=0, le=30)] = 10.0
    unknown_first_pause_s: Annotated[float, Field(gt=0, le=3_600)] = 5.0
    recovery_interval_s: Annotated[float, Field(gt=0, le=60)] = 2.0
    idle_poll_s: Annotated[float, Field(gt=0, le=60)] = 2.0
    shutdown_timeout_s: Annotated[float, Field(gt=0, le=60)] = 12.0
    stalled_after_s: Annotated[float, Field(gt=0, le=3_600)] = 60.0

    record_directory: Path | None = None  # where accounts with `record_exchanges` write what they ask and hear
    record_exchange_bytes: Annotated[int, Field(ge=1_024, le=8_388_608)] = 1_048_576
    record_file_bytes: Annotated[int, Field(ge=65_536, le=1_073_741_824)] = 16_777_216
    record_files: Annotated[int, Field(ge=1, le=10_000)] = 10  # per account

    notify_urls: Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_addresses), Field(max_length=20)] = ()
    log_level: Annotated[str, AfterValidator(_level)] = "info"

    @property
    def dsn(self) -> str:
        """Return the database's address, password included: for drivers only."""
        return self.database_url.get_secret_value()


class _AccountsFile(BaseSettings):
    """The one setting that more mistakes can be found by, whatever is wrong with the others."""

    model_config = Settings.model_config
    accounts_file: Path


def load_settings(**overrides: Any) -> Settings:
    """Return the settings. Raises ConfigurationError with one line per mistake, none of which shows a secret."""
    try:
        return Settings(_secrets_dir=_secrets_dir(), **overrides)  # type: ignore[call-arg]  # pydantic-settings adds it
    except ValidationError as error:
        lines = [_named(line) for line in explain(error)]
        raise ConfigurationError(lines) from error


def load_configuration(**overrides: Any) -> tuple[Settings, tuple[Account, ...]]:
    """Return settings and accounts, with the mistakes of both in one ConfigurationError."""
    try:
        settings = load_settings(**overrides)
    except ConfigurationError as error:
        raise ConfigurationError([*error.mistakes, *_account_mistakes(overrides)]) from error
    accounts = load_accounts(settings.accounts_file, environment())
    if settings.record_directory is None and any(account.record_exchanges for account in accounts):
        names = ", ".join(account.name for account in accounts if account.record_exchanges)
        raise ConfigurationError(
            [f"{PREFIX}RECORD_DIRECTORY: is not set; expected a directory, since {names} has record_exchanges = true"]
        )
    return settings, accounts


def operators_of(settings: Settings) -> Operators:
    """Return everybody who has a token. Raises ConfigurationError with one line per mistake of the operators file."""
    people = () if settings.operators_file is None else load_operators(settings.operators_file, environment())
    return Operators(people, api_token=settings.api_token.get_secret_value() if settings.api_token else None)


def load_accounts_alone() -> tuple[Account, ...]:
    """Return the accounts for a command that needs no database and no Kafka. Raises ConfigurationError."""
    try:
        found = _AccountsFile(_secrets_dir=_secrets_dir())  # type: ignore[call-arg]  # see load_settings
    except ValidationError as error:
        raise ConfigurationError([_named(line) for line in explain(error)]) from error
    return load_accounts(found.accounts_file, environment())


def _account_mistakes(overrides: dict[str, Any]) -> list[str]:
    try:
        found = _AccountsFile(_secrets_dir=_secrets_dir(), **overrides)  # type: ignore[call-arg]  # see load_settings
        load_accounts(found.accounts_file, environment())
    except ValidationError:
        return []  # it is among the settings' own mistakes
    except ConfigurationError as error:
        return error.mistakes
    return []


def environment() -> dict[str, str]:
    """Return the variables that accounts may name: those of `.env`, too, as for all other settings."""
    written = DotEnvSettingsSource(Settings, env_file=ENV_FILE, case_sensitive=True).env_vars
    return {name: value for name, value in written.items() if value is not None} | dict(os.environ)


def _secrets_dir() -> Path | None:
    return SECRETS_DIR if SECRETS_DIR.is_dir() else None


def _named(line: str) -> str:
    key, _, rest = line.partition(":")
    return f"{PREFIX}{key.upper()}:{rest}"
