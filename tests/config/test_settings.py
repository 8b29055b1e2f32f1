"""A wrong variable stops the start with one clear line that names it; secrets come from three places, shown in none."""

from collections.abc import Callable
from pathlib import Path

import pytest

from worker import settings as settings_module
from worker.accounts import ConfigurationError
from worker.broker.envelope import MAX_KEPT_BYTES
from worker.settings import Settings, load_configuration, load_settings

PASSWORD = "the-password-itself"
GOOD = {
    "ORDERSYNC_DATABASE_URL": f"postgresql://me:{PASSWORD}@db:5432/ordersync",
    "ORDERSYNC_KAFKA_BOOTSTRAP_SERVERS": "kafka:9092",
    "ORDERSYNC_ACCOUNTS_FILE": "accounts.toml",
}
ACCOUNTS = """
[[accounts]]
name = "main"
dialect = "pandapon"
base_url = "https://api.pandapon.com"
access_key = "key"
access_secret_env = "MAIN_SECRET"
callback_token_env = "MAIN_TOKEN"
"""
SECRETS = {"MAIN_SECRET": "s3cret", "MAIN_TOKEN": "t" * 16}

SetUp = Callable[..., None]


@pytest.fixture(autouse=True)
def _an_empty_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable, `.env` or secret file of the machine gets into a test."""
    import os

    for name in [*os.environ]:
        if name.upper().startswith("ORDERSYNC_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(settings_module, "SECRETS_DIR", tmp_path / "no-secrets")


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> SetUp:
    """Set the good variables with some changed; None removes one."""

    def set_up(**changes: str | None) -> None:
        for name, value in {**GOOD, **SECRETS, **changes}.items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)

    return set_up


def mistakes(load: Callable[[], object]) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load()
    assert PASSWORD not in str(caught.value)
    error: BaseException | None = caught.value
    while error is not None:
        assert PASSWORD not in str(error)
        error = error.__cause__
    return caught.value.mistakes


def test_three_variables_are_enough(given: SetUp) -> None:
    given()
    settings = load_settings()
    assert settings.dsn == GOOD["ORDERSYNC_DATABASE_URL"]
    assert (settings.http_host, settings.http_port, settings.api_token) == ("127.0.0.1", 8080, None)
    assert settings.accounts_file == Path("accounts.toml")


def test_neither_a_repr_nor_a_dump_shows_a_secret(given: SetUp) -> None:
    given(ORDERSYNC_API_TOKEN=PASSWORD, ORDERSYNC_NOTIFY_URLS=f'["slack://{PASSWORD}"]')
    settings = load_settings()
    shown = [repr(settings), str(settings), str(settings.model_dump()), settings.model_dump_json()]
    assert not [text for text in shown if PASSWORD in text]
    assert settings.notify_urls[0].get_secret_value() == f"slack://{PASSWORD}"


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_or_empty_variable_is_named(given: SetUp, name: str, value: str | None) -> None:
    given(**{name: value})
    assert mistakes(load_settings) == [f"{name}: is not set; it is required"]


ONE_MISTAKE = [
    ("DATABASE_URL", f"mysql://me:{PASSWORD}@db/x", "expected postgresql://user:password@host:port/database"),
    ("DATABASE_URL", "db:5432/x", "expected postgresql://"),
    ("DATABASE_URL", "postgresql+asyncpg://db/x", "expected postgresql://"),
    ("DATABASE_URL", f"postgresql://me:{PASSWORD}@db:54x/x", "expected postgresql://"),
    ("DATABASE_URL", f"postgresql://me:{PASSWORD}@db:99999/x", "expected postgresql://"),
    ("DATABASE_URL", f"postgresql://me:{PASSWORD}@a:1,b:2/x", "expected postgresql://"),
    ("DATABASE_URL", f"postgresql://me:{PASSWORD}@db/x?channel_binding=require", "expected postgresql://"),
    ("KAFKA_BOOTSTRAP_SERVERS", "kafka", "expected host:port, several separated by commas"),
    ("KAFKA_BOOTSTRAP_SERVERS", "kafka:9092,", "expected host:port"),
    ("KAFKA_BOOTSTRAP_SERVERS", "kafka:9092, other:9092", "expected host:port"),
    ("KAFKA_BOOTSTRAP_SERVERS", "PLAINTEXT://kafka:9092", "expected host:port"),
    ("TOPIC_PREFIX", "a b", "expected letters, digits, dots, - or _"),
    ("TOPIC_PREFIX", "x" * 101, "expected letters, digits, dots, - or _"),
    ("TOPIC_PARTITIONS", "0", "Input should be greater than or equal to 1"),
    ("TOPIC_PARTITIONS", "257", "Input should be less than or equal to 256"),
    ("TOPIC_PARTITIONS", "six", "Input should be a valid integer"),
    ("TOPIC_REPLICATION", "0", "Input should be greater than or equal to 1"),
    ("HTTP_PORT", "65536", "Input should be less than or equal to 65535"),
    ("HTTP_PORT", "-1", "Input should be greater than or equal to 0"),
    ("HTTP_PORT", "http", "Input should be a valid integer"),
    ("HTTP_MAX_CONCURRENCY", "0", "Input should be greater than or equal to 1"),
    ("CALLBACK_MAX_BYTES", "1023", "Input should be greater than or equal to 1024"),
    ("CALLBACK_MAX_BYTES", str(MAX_KEPT_BYTES + 1), f"Input should be less than or equal to {MAX_KEPT_BYTES}"),
    ("CALLBACK_BODY_TIMEOUT_S", "0", "Input should be greater than 0"),
    ("CALLBACK_KAFKA_TIMEOUT_S", "6", "Input should be less than or equal to 5"),
    ("CALLBACK_SPOOL_TIMEOUT_S", "-1", "Input should be greater than 0"),
    ("CLOCK_SKEW_ALLOWANCE_S", "601", "Input should be less than or equal to 600"),
    ("BATCH_MAX_RECORDS", "0", "Input should be greater than or equal to 1"),
    ("BATCH_WAIT_MS", "199", "Input should be greater than or equal to 200"),
    ("SPOOL_MAX_EVENTS", "0", "Input should be greater than or equal to 1"),
    ("DEAD_LETTER_LIMIT", "0", "Input should be greater than or equal to 1"),
    ("DEAD_LETTER_OLD_AFTER_S", "59", "Input should be greater than or equal to 60"),
    ("DEAD_LETTER_TRICKLE_DAYS", "8", "Input should be less than or equal to 7"),
    ("CALL_TIMEOUT_S", "nan", "Input should be "),
    ("CALL_TIMEOUT_S", "inf", "Input should be less than or equal to "),
    ("UNKNOWN_FIRST_PAUSE_S", "0", "Input should be greater than 0"),
    ("RECOVERY_INTERVAL_S", "0", "Input should be greater than 0"),
    ("IDLE_POLL_S", "61", "Input should be less than or equal to 60"),
    ("SHUTDOWN_TIMEOUT_S", "x", "Input should be a valid number"),
    ("STALLED_AFTER_S", "0", "Input should be greater than 0"),
    ("RECORD_EXCHANGE_BYTES", "1023", "Input should be greater than or equal to 1024"),
    ("RECORD_FILE_BYTES", "1", "Input should be greater than or equal to 65536"),
    ("RECORD_FILES", "0", "Input should be greater than or equal to 1"),
    ("NOTIFY_URLS", f"slack://{PASSWORD}", "expected a JSON list of addresses"),
    ("NOTIFY_URLS", f'["slack://{PASSWORD}", 5]', "expected a JSON list of addresses"),
    ("NOTIFY_URLS", f'{{"a": "{PASSWORD}"}}', "expected a JSON list of addresses"),
    ("NOTIFY_URLS", "[" + ",".join(['"x"'] * 21) + "]", "Value should have at most 20 items"),
    ("LOG_LEVEL", "loud", "expected one of debug, info, warning, error"),
]


@pytest.mark.parametrize(("key", "value", "line"), ONE_MISTAKE)
def test_one_mistake_is_one_line_that_names_the_variable(given: SetUp, key: str, value: str, line: str) -> None:
    given(**{f"ORDERSYNC_{key}": value})
    (found,) = mistakes(load_settings)
    assert found.startswith(f"ORDERSYNC_{key}: {line}")


def test_every_setting_with_a_limit_is_in_the_table() -> None:
    free = {"accounts_file", "operators_file", "http_host", "api_token", "consumer_instance", "record_directory"}
    assert {key.lower() for key, _, _ in ONE_MISTAKE} | free == set(Settings.model_fields)


def test_a_log_level_may_be_written_large(given: SetUp) -> None:
    given(ORDERSYNC_LOG_LEVEL="WARNING")
    assert load_settings().log_level == "warning"


def test_all_mistakes_of_variables_and_accounts_are_said_at_once(given: SetUp) -> None:
    given(ORDERSYNC_DATABASE_URL=None, ORDERSYNC_HTTP_PORT="x", MAIN_SECRET=None)
    Path("accounts.toml").write_text(ACCOUNTS.replace("pandapon.com", "pandapon.com?x"))
    assert [line.partition(": ")[0] for line in mistakes(load_configuration)] == [
        "ORDERSYNC_DATABASE_URL",
        "ORDERSYNC_HTTP_PORT",
        "accounts.toml",
    ]


def test_without_a_place_of_the_accounts_file_the_other_mistakes_are_said(given: SetUp) -> None:
    given(ORDERSYNC_ACCOUNTS_FILE=None, ORDERSYNC_HTTP_PORT="x")
    assert [line.partition(": ")[0] for line in mistakes(load_configuration)] == [
        "ORDERSYNC_ACCOUNTS_FILE",
        "ORDERSYNC_HTTP_PORT",
    ]


def test_an_accounts_file_that_is_not_there_is_a_mistake_like_any_other(given: SetUp) -> None:
    given()
    (found,) = mistakes(load_configuration)
    assert found == "accounts.toml: cannot be read (No such file or directory); expected the accounts file"


def test_settings_and_account_secrets_may_stand_in_an_env_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("accounts.toml").write_text(ACCOUNTS)
    Path(".env").write_text("\n".join(f"{name}={value}" for name, value in (GOOD | SECRETS).items()))
    settings, (main,) = load_configuration()
    assert settings.dsn == GOOD["ORDERSYNC_DATABASE_URL"]
    assert (main.access_secret, main.callback_token) == ("s3cret", "t" * 16)
    monkeypatch.setenv("MAIN_SECRET", "from the process")
    monkeypatch.setenv("ORDERSYNC_HTTP_PORT", "9000")
    settings, (main,) = load_configuration()
    assert (settings.http_port, main.access_secret) == (9000, "from the process")


def test_an_env_file_may_hold_variables_of_others(given: SetUp) -> None:
    given()
    Path(".env").write_text("POSTGRES_PASSWORD=x\nORDERSYNC_IMAGE=y\nNOTHING\n")
    assert load_settings().http_port == 8080


def test_settings_may_stand_in_secret_files(given: SetUp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given(ORDERSYNC_DATABASE_URL=None)
    directory = tmp_path / "secrets"
    directory.mkdir()
    monkeypatch.setattr(settings_module, "SECRETS_DIR", directory)
    (directory / "ORDERSYNC_DATABASE_URL").write_text(GOOD["ORDERSYNC_DATABASE_URL"] + "\n")
    (directory / "ordersync_api_token").write_text(f"{PASSWORD}\n")
    settings = load_settings()
    assert settings.dsn == GOOD["ORDERSYNC_DATABASE_URL"]
    assert settings.api_token is not None
    assert settings.api_token.get_secret_value() == PASSWORD
    (directory / "ORDERSYNC_DATABASE_URL").write_text(f"mysql://{PASSWORD}")
    (found,) = mistakes(load_settings)
    assert found.startswith("ORDERSYNC_DATABASE_URL: expected postgresql://")


def test_a_variable_wins_over_a_secret_file(given: SetUp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given(ORDERSYNC_HTTP_PORT="9001")
    monkeypatch.setattr(settings_module, "SECRETS_DIR", tmp_path)
    (tmp_path / "ordersync_http_port").write_text("9002")
    assert load_settings().http_port == 9001


def test_an_account_that_is_to_be_recorded_needs_a_place_for_it(given: SetUp) -> None:
    Path("accounts.toml").write_text(ACCOUNTS + "record_exchanges = true\n")
    given()
    (found,) = mistakes(load_configuration)
    assert found == (
        "ORDERSYNC_RECORD_DIRECTORY: is not set; expected a directory, since main has record_exchanges = true"
    )
    given(ORDERSYNC_RECORD_DIRECTORY="/var/lib/ordersync/recordings")
    settings, (main,) = load_configuration()
    assert (main.record_exchanges, settings.record_directory) == (True, Path("/var/lib/ordersync/recordings"))
