"""The notice to the warehouse: which parcels come, with which lines. Told once per change of the parcels."""

from __future__ import annotations

from worker.domain.handover import decide_logistics, known_parcels
from worker.domain.policy import Effect
from worker.followups.fresh import FreshReads
from worker.followups.perform import Judged
from worker.marketplaces.port import EffectAnswer, Marketplace
from worker.storage.follow_up_claims import Claim


class UpdateDomesticLogistics:
    """Tells the warehouse. The parcels are confirmed by a snapshot already, so no further read is made for it."""

    effect = Effect.UPDATE_DOMESTIC_LOGISTICS
    operation = "warehouse_update_domestic_logistics"
    spends = False

    def __init__(self, marketplace: Marketplace, reads: FreshReads) -> None:
        self._marketplace = marketplace
        self._reads = reads

    async def judge(self, held: Claim) -> Judged:
        """Judge the notice on what is known."""
        view = self._reads.known(held).view
        decision = decide_logistics(view, held.purpose)
        parcels = known_parcels(view)
        booked = view.bookings[0] if view.bookings else None

        async def call(_attempt: int) -> EffectAnswer:
            return await self._marketplace.update_domestic_logistics(
                held.key.platform, held.key.order_id, parcels, view.lines, international=booked
            )

        request = {
            "order_id": held.key.order_id,
            "parcels": [{"parcel_id": one.parcel_id, "waybill": one.waybill} for one in parcels],
        }
        evidence = {"plan_version": held.plan.version, "purpose": held.purpose}
        return Judged(decision, evidence, request, call)

    async def answered(self, held: Claim, answer: EffectAnswer) -> None:
        """Nothing more: the warehouse's answer is all there is."""
