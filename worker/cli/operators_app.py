"""The commands below `ordersync operators`."""

from __future__ import annotations

from cyclopts import App

app = App(name="operators", help="The people who may decide: see the operators file in docs/operations.md.")


@app.command
def token() -> None:
    """Make a token for a person and its digest for the operators file. Neither is kept anywhere."""
    from worker.operators import TOKEN_VARIABLE, new_token

    made = new_token()
    print(f"token:  {made.token}")  # noqa: T201 - the command's output
    print(f"sha256: {made.sha256}")  # noqa: T201
    print(  # noqa: T201
        f"\nThe token is for the person alone: as {TOKEN_VARIABLE} on the command line, as 'Authorization: Bearer ...' "
        "over HTTP.\nThe sha256 goes where token_sha256_env or token_sha256_file of the operators file says."
    )
