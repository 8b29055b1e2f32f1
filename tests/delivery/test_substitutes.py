"""A seller gives the money back because he lacks the goods, and the whole worker finds others by the picture."""

from pathlib import Path

import httpx2
import pytest

from tests.delivery.programs import silent
from tests.storage.database import connected, rows
from worker.demo.play import play
from worker.demo.stage import DemoOptions, set_stage
from worker.followups.substitutes import MAX_OFFERS
from worker.sandbox.pictures import alike

SEED = 8
"""Its first order is paid by agreement, and then given back whole, unshipped."""
SPEED = 4_000.0
"""The order waits 108 s to be paid, and is given back four seconds later."""


@pytest.mark.timeout(180)
async def test_the_alert_of_an_order_that_was_refunded_for_lack_of_goods_has_offers_that_look_alike(
    tmp_path: Path,
) -> None:
    options = DemoOptions(orders=1, seed=SEED, faults="none", lost_callbacks=None, speed=SPEED)
    async with set_stage(options, tmp_path) as stage, connected(stage.postgres_dsn) as engine:
        verdict = await play(stage, silent)
        assert verdict.broken == []
        assert verdict.differences == []
        (line,) = await rows(
            engine,
            "SELECT l.line_id, l.image_url, o.status, o.paid, o.close_reason"
            " FROM orders o JOIN order_lines l ON l.order_ref = o.id",
        )
        (alert,) = await rows(engine, "SELECT * FROM alerts WHERE kind = 'substitutes_found'")
        async with httpx2.AsyncClient(trust_env=False) as client:
            picture = (await client.get(line["image_url"])).content
        assert (line["status"], line["paid"], line["close_reason"]) == ("closed", True, "other"), "the refund told why"
        assert alert["details"]["line_id"] == line["line_id"]
        offers = alert["details"]["offers"]
        itself, *others = alike(SEED, picture, MAX_OFFERS + 1)
        assert f"/{itself.offer_id}.png" in line["image_url"], "the search finds the article itself first"
        assert [(offer["price_minor"], offer["sold_monthly"], offer["repurchase_rate"]) for offer in offers] == [
            (other.price_fen, other.month_sold, f"{other.repurchase_percent}%") for other in others
        ]
