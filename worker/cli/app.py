"""The commands of `ordersync`. Heavy imports stay inside the commands that need them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from worker import version
from worker.accounts import ConfigurationError
from worker.cli import switch_app
from worker.cli.dead_letters_app import app as dead_letters_app
from worker.cli.follow_ups_app import app as follow_ups_app
from worker.cli.operators_app import app as operators_app
from worker.cli.options import FaultLevel, PushDialect, SandboxOptions
from worker.cli.plans_app import app as plans_app

app = App(
    name="ordersync",
    help="Keeps orders bought on 1688 and Taobao in step: events to Kafka, a true model in Postgres, follow-up calls.",
    version=version(),
)
for _group in (follow_ups_app, plans_app, operators_app, dead_letters_app):
    app.command(_group)
for _command in (switch_app.pause, switch_app.resume, switch_app.pauses, switch_app.audit_log):
    app.command(_command)
RoleName = Literal["intake", "reconcile", "followups", "outbound", "operations"]
_SANDBOX_DEFAULTS = SandboxOptions()


def run() -> None:
    """Run the command line; configuration mistakes are listed one per line and end with status 2."""
    try:
        app()
    except ConfigurationError as error:
        print("ordersync cannot start; please mend:", file=sys.stderr)  # noqa: T201 - a person reads it
        for mistake in error.mistakes:
            print(f"  - {mistake}", file=sys.stderr)  # noqa: T201
        raise SystemExit(2) from None


@app.command(name="run")
def run_worker(*, role: Annotated[list[RoleName] | None, Parameter(negative=())] = None) -> None:
    """Run the worker against the configured servers until SIGTERM.

    Parameters
    ----------
    role
        Only these roles (may be given several times); default: all.
    """
    from worker.cli.serve import serve

    raise SystemExit(serve(role))


@app.command
def migrate(*, to: str | None = None) -> None:
    """Bring the database to this version's schema.

    Parameters
    ----------
    to
        Undo migrations down to this revision instead (`base`: all of them).
    """
    from worker.cli.maintain import migrate as run_migrations

    raise SystemExit(run_migrations(to))


@app.command
def topics(*, check: bool = False) -> None:
    """Create the Kafka topics with explicit settings; existing ones are compared, never changed.

    Parameters
    ----------
    check
        Only look.
    """
    from worker.cli.maintain import topics as run_topics

    raise SystemExit(run_topics(create=not check))


@app.command
def doctor() -> None:
    """Check settings, database, schema, Kafka, topics and each account (with a signed read); say what to do."""
    from worker.cli.doctor import doctor as run_doctor

    raise SystemExit(run_doctor())


@app.command
def alerts(*, resolve: str | None = None) -> None:
    """List the open alerts.

    Parameters
    ----------
    resolve
        Resolve the open alert with this cause instead (dead letters, for instance, once they are dealt with).
    """
    from worker.cli.alerts import alerts as run_alerts

    raise SystemExit(run_alerts(resolve))


@app.command
def poll(*, account: str | None = None, once: bool = False) -> None:
    """Poll every list of the accounts once and say what came of it; a running worker polls by itself.

    Parameters
    ----------
    account
        Only this account.
    once
        Required: polling for ever is what `ordersync run --role intake` does.
    """
    from worker.cli.poll import poll as run_poll

    raise SystemExit(run_poll(account, once=once))


@app.command
def audit(
    *, account: str | None = None, sample: int = 50, seed: int = 1, repair: bool = False, json: bool = False
) -> None:
    """Compare orders of the model with the marketplace, field by field; report the drift.

    Parameters
    ----------
    account
        Only this account.
    sample
        How many orders of each account; 0: all.
    seed
        Which ones: the same seed takes the same sample.
    repair
        Publish what was read, so that the model follows.
    json
        Print one JSON object instead of a table.
    """
    from worker.cli.audit import audit as run_audit

    raise SystemExit(run_audit(account, sample=sample, seed=seed, repair=repair, as_json=json))


@app.command
def conformance(
    *,
    account: str,
    read_only: bool = False,
    effects: bool = False,
    sandbox: bool = False,
    ask: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    record: Path | None = None,
    json: bool = False,
) -> None:
    """Ask an account's API, operation by operation, whether it is what the catalogue says; print a table for the notes.

    Exit status: 0 if nothing that is documented was contradicted, 1 if something was, 2 if it could not run.

    Parameters
    ----------
    account
        The account that asks.
    read_only
        Only ask what has no effect. That is the default; the option says so aloud.
    effects
        Also call what has an effect. Only against a sandbox on this machine.
    sandbox
        The address is a sandbox's: take the paths that it made up.
    ask
        NAME=VALUE: ask with this value where a question has a parameter of that name (an order id, for instance).
    record
        Write every exchange to this directory, without secrets and personal data.
    json
        Print one JSON object instead of a table.
    """
    from worker.cli.conformance import Wanted
    from worker.cli.conformance import conformance as run_conformance

    wanted = Wanted(read_only=read_only, effects=effects, sandbox=sandbox, ask=ask, record=record, as_json=json)
    raise SystemExit(run_conformance(account, wanted))


@app.command
def sandbox(options: Annotated[SandboxOptions, Parameter(name="*")] = _SANDBOX_DEFAULTS) -> None:
    """Run a twin of PandaPon's API and of the 1688 open platform that plays orders through their lives."""
    from worker.cli.sandbox import sandbox as run_sandbox

    raise SystemExit(run_sandbox(options))


@app.command
def demo(
    *,
    orders: int = 200,
    seed: int = 1,
    faults: FaultLevel = "usual",
    lost_callbacks: float | None = None,
    dialect: PushDialect = "pandapon",
    stay: bool = False,
    json: bool = False,
) -> None:
    """Play orders through their lives on embedded parts and compare the model with the marketplace's truth.

    Parameters
    ----------
    orders
        How many orders (1 to 2000: the embedded broker keeps everything in memory).
    seed
        The same seed plays the same lives.
    faults
        How nasty the marketplace is.
    lost_callbacks
        Share of callbacks that never arrive (default: by `faults`).
    dialect
        The API through which the worker follows and pays.
    stay
        Keep everything running afterwards, to look around.
    json
        Print one JSON object instead of a summary.
    """
    from worker.cli.demo import demo as run_demo
    from worker.demo.stage import DemoOptions

    options = DemoOptions(orders, seed, faults, lost_callbacks, dialect)
    raise SystemExit(run_demo(options, stay=stay, as_json=json))


@app.command
def simulate(
    *,
    seeds: int = 100,
    start: int | None = None,
    seed: int | None = None,
    jobs: int = 0,
    trace: bool = False,
    minimise: bool = False,
    json: bool = False,
) -> None:
    """Play fleets of workers through seeded trouble on virtual time, and hold them to the promises.

    Parameters
    ----------
    seeds
        How many seeds.
    start
        The first seed; without it a random one, which is printed.
    seed
        Play only this seed again: the same seed is the same run, and prints the same trace.
    jobs
        Processes; 0: one per core.
    trace
        With `--seed`: print what happened, line by line.
    minimise
        With `--seed`: leave out faults for as long as the same promise breaks.
    json
        Print one JSON object instead of a summary.
    """
    from worker.cli.simulate import simulate as run_simulate

    raise SystemExit(
        run_simulate(seeds=seeds, start=start, seed=seed, jobs=jobs, trace=trace, minimise=minimise, as_json=json)
    )
