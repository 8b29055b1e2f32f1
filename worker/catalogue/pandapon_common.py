"""PandaPon OpenAPI: addresses and the warehouse (marketplace notes, sections 5 and 6)."""

from __future__ import annotations

from worker.catalogue.operation import Area, Auth, Dialect
from worker.catalogue.shorthand import Shorthand

_OF = Shorthand(Dialect.PANDAPON)

OPERATIONS = (
    _OF.read("basis.address.get", "Get address", Area.BASIS),
    _OF.effect(
        "basis.address.save",
        "Add or update address",
        Area.BASIS,
        v1="/open/address/addOrUpdate",
        v2="/v2/open/address/addOrUpdate",
        source="doc-en api-263477669, doc-cnv2 api-288437932",
    ),
    _OF.read(
        "warehouse.freight.estimate",
        "Overseas freight estimate",
        Area.WAREHOUSE,
        v2="/v2/open/pp/logistics/itemLogisticsPrice",
        auth=Auth.QUERY,
        source="doc-env2 api-289121052",
    ),
    _OF.read(
        "warehouse.freight.preview",
        "Order freight preview",
        Area.WAREHOUSE,
        v1="/open/pp/logistics/orderRenderFreight",
        auth=Auth.QUERY,
        source="doc api-250313135",
    ),
    _OF.effect(
        "warehouse.domestic_logistics.update",
        "Update domestic logistics",
        Area.WAREHOUSE,
        v1="/open/pp/logistics/updateLogisticInfo",
        auth=Auth.QUERY,
        source="doc api-250313136",
    ),
    _OF.irreversible(
        "warehouse.freight.book",
        "Create international logistics order",
        Area.WAREHOUSE,
        v1="/open/pp/logistics/orderBookingFreight",
        auth=Auth.QUERY,
        source="doc api-250313137",
    ),
)
