"""`ordersync sandbox`."""

from __future__ import annotations

import asyncio
import sys

from worker.cli.loop import run_until_signalled
from worker.cli.options import SandboxOptions
from worker.sandbox import AopConfig, SandboxConfig
from worker.sandbox import run as run_twin

WELL_KNOWN_SECRET = "sandbox-secret"  # noqa: S105 - of a twin that holds no money


def sandbox(options: SandboxOptions) -> int:
    """Run the twin until signalled; return the exit status."""
    try:
        secret = options.access_secret_file.read_text().strip() if options.access_secret_file else WELL_KNOWN_SECRET
        config = SandboxConfig(
            orders=options.orders,
            taobao_orders=options.taobao_orders,
            large_share=options.large_share,
            buyer_confirms=options.buyer_confirms,
            stale_reads_s=options.stale_reads_s,
            render_valid_s=options.render_valid_s,
            seed=options.seed,
            faults=options.faults,
            lost_callbacks=options.lost_callbacks,
            speed=options.speed,
            callback_url=options.callback_url,
            access_key=options.access_key,
            access_secret=secret,
            push=options.push,
            aop=AopConfig(access_token_s=options.access_token_s),
            open_control=options.open_control,
            autostart=options.callback_url is not None,
        )
    except (ValueError, OSError) as error:
        print(f"the sandbox cannot start: {error}", file=sys.stderr)  # noqa: T201 - a person reads it
        return 2

    async def main(stop: asyncio.Event) -> int:
        await run_twin(config, _say_ready, host=options.host, port=options.port, stop=stop)
        return 0

    return run_until_signalled(main)


def _say_ready(url: str) -> None:
    print(f"sandbox at {url}", flush=True)  # noqa: T201 - a person or a script reads it
