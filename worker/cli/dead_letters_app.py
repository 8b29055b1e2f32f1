"""The commands below `ordersync dead-letters`."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import App, Parameter

from worker.cli.letter_filter import LetterFilter

app = App(
    name="dead-letters",
    help="Messages that were set aside: look at them; replay or discard them (needs ORDERSYNC_OPERATOR_TOKEN).",
)
StateName = Literal["open", "replaying", "resolved", "discarded"]
_NO_FILTER = LetterFilter()
_Filter = Annotated[LetterFilter, Parameter(name="*")]


@app.command(name="list")
def list_(
    *,
    letters: bool = False,
    state: StateName | None = None,
    limit: int = 50,
    json: bool = False,
    wanted: _Filter = _NO_FILTER,
) -> None:
    """List what waits, by cause.

    Parameters
    ----------
    letters
        List letters instead of causes; so do the filters.
    state
        Those in this state instead of those that wait.
    limit
        At most so many.
    json
        Print JSON.
    """
    from worker.cli import dead_letters

    if letters or wanted != _NO_FILTER:
        raise SystemExit(dead_letters.show_letters(wanted, state, limit=limit, as_json=json))
    raise SystemExit(dead_letters.show_groups(state, limit=limit, as_json=json))


@app.command
def show(letter: int, /, *, json: bool = False) -> None:
    """Show one letter: where it came from, headers, decoded value without personal data, stack, replays.

    Parameters
    ----------
    letter
        Its number, as `list --letters` shows it.
    json
        Print JSON.
    """
    from worker.cli import dead_letters

    raise SystemExit(dead_letters.show_letter(letter, as_json=json))


@app.command
def replay(
    *letters: int,
    wanted: _Filter = _NO_FILTER,
    reason: str | None = None,
    nonce: str | None = None,
    dry_run: Annotated[bool, Parameter(negative=())] = False,
    wait: float = 30.0,
) -> None:
    """Send letters to their topic again, and say of each what became of it.

    Parameters
    ----------
    letters
        Their numbers; or name them by the filters.
    reason
        Why (required): for the audit log.
    nonce
        Names this request: given again, nothing is replayed twice. Default: a new one, which is printed.
    dry_run
        Only count.
    wait
        For how many seconds to wait for the outcome.
    """
    from worker.cli import dead_letters

    raise SystemExit(dead_letters.replay(letters, wanted, reason=reason, nonce=nonce, dry_run=dry_run, wait_s=wait))


@app.command
def discard(
    *letters: int,
    wanted: _Filter = _NO_FILTER,
    reason: str | None = None,
    dry_run: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Mark letters as not needed; they are kept, with who said so and why.

    Parameters
    ----------
    letters
        Their numbers; or name them by the filters.
    reason
        Why (required): for the audit log.
    dry_run
        Only count.
    """
    from worker.cli import dead_letters

    raise SystemExit(dead_letters.discard(letters, wanted, reason=reason, dry_run=dry_run))
