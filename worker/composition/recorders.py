"""Who writes down what an account asks and hears, if it is wanted."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from worker.accounts import Account
from worker.domain.clock import Clock
from worker.marketplaces.recording import FileRecorder, Limits


class RecordSettings(Protocol):
    """What the settings say about recordings: where, and how much is kept."""

    @property
    def record_directory(self) -> Path | None: ...  # noqa: D102
    @property
    def record_exchange_bytes(self) -> int: ...  # noqa: D102
    @property
    def record_file_bytes(self) -> int: ...  # noqa: D102
    @property
    def record_files(self) -> int: ...  # noqa: D102


def build_recorder(account: Account, settings: RecordSettings, clock: Clock) -> FileRecorder | None:
    """Return the recorder of an account, None where nothing is recorded."""
    if not account.record_exchanges or settings.record_directory is None:
        return None
    limits = Limits(settings.record_exchange_bytes, settings.record_file_bytes, settings.record_files)
    return FileRecorder(account.name, settings.record_directory, clock, secrets_of(account), limits)


def secrets_of(account: Account) -> tuple[str, ...]:
    """Return what of an account must never be written down."""
    return (
        account.access_key,
        account.access_secret,
        account.access_token,
        account.refresh_token,
        account.callback_token,
    )
