"""`ordersync`, also `python -m worker`."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    from worker.cli.app import run

    run()


if __name__ == "__main__":
    main()
