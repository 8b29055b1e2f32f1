"""Every endpoint and callback that the project set out to cover has a row with a state in the generated page."""

from __future__ import annotations

import pytest

from tools.check_operations import PAGE, page, state_of
from worker.catalogue.messages import messages_of
from worker.catalogue.operation import Dialect
from worker.catalogue.tables import find

P, X, A = Dialect.PANDAPON, Dialect.XPORT, Dialect.ALIBABA1688
SEEDS: dict[str, tuple[Dialect, tuple[str, ...]]] = {
    "1688 goods": (
        P,
        (
            "1688.goods.detail",
            "1688.goods.keyword_search",
            "1688.goods.image_search",
            "1688.goods.shop_search",
            "1688.goods.category",
            "1688.goods.recommend",
            "1688.goods.related",
            "1688.goods.global_keyword_search",
            "1688.goods.selection_keyword_search",
            "1688.goods.hot_list",
        ),
    ),
    "1688 cart": (
        P,
        (
            "1688.cart.list",
            "1688.cart.add",
            "1688.cart.delete",
            "1688.cart.edit_quantity",
            "1688.cart.preview",
            "1688.cart.create_order",
        ),
    ),
    "1688 orders": (
        P,
        (
            "1688.order.batch_submit_payment",
            "1688.order.batch_preview",
            "1688.order.batch_create",
            "1688.order.tracking",
            "1688.order.list",
            "1688.order.preview",
            "1688.order.create",
            "1688.order.detail",
            "1688.order.cancel",
            "1688.order.pay",
            "1688.order.confirm_receipt",
            "1688.order.wangwang_nick",
        ),
    ),
    "1688 after-sales": (
        P,
        (
            "1688.refund.detail",
            "1688.refund.reasons",
            "1688.refund.upload_voucher",
            "1688.refund.create",
            "1688.refund.return_goods",
            "1688.refund.logistics_companies",
        ),
    ),
    "Taobao goods": (
        P,
        ("taobao.goods.search", "taobao.goods.batch", "taobao.goods.commodity_search", "taobao.goods.image_search"),
    ),
    "Taobao orders": (
        P,
        (
            "taobao.order.create",
            "taobao.order.list",
            "taobao.order.cancel",
            "taobao.order.update_warehouse",
            "taobao.order.pay",
            "taobao.order.im_link",
            "taobao.order.detail",
            "taobao.order.logistics",
        ),
    ),
    "Taobao cart": (
        P,
        (
            "taobao.cart.preview",
            "taobao.cart.create_order",
            "taobao.cart.list",
            "taobao.cart.delete",
            "taobao.cart.add",
            "taobao.cart.edit_quantity",
        ),
    ),
    "Taobao after-sales": (
        P,
        (
            "taobao.refund.list",
            "taobao.refund.preview",
            "taobao.refund.return_preview",
            "taobao.refund.return_submit",
            "taobao.refund.cancel",
            "taobao.refund.submit_message",
            "taobao.refund.create",
            "taobao.refund.messages",
            "taobao.refund.modify",
            "taobao.refund.detail",
        ),
    ),
    "basis": (P, ("basis.address.get", "basis.address.save")),
    "warehouse": (
        P,
        (
            "warehouse.freight.estimate",
            "warehouse.freight.preview",
            "warehouse.domestic_logistics.update",
            "warehouse.freight.book",
        ),
    ),
    "Xport": (
        X,
        (
            "1688.order.preview",
            "1688.order.create",
            "1688.order.detail",
            "1688.order.list",
            "1688.order.pay",
            "1688.order.logistics",
            "taobao.order.list",
            "wms.package.inbound",
        ),
    ),
    "open platform": (
        A,
        (
            "auth.token.exchange",
            "auth.token.refresh",
            "auth.token.postpone",
            "1688.order.list",
            "1688.order.detail",
            "1688.order.logistics",
            "1688.order.trace",
            "1688.order.cancel",
            "1688.order.confirm_receipt",
            "1688.payment.agreement",
            "1688.payment.prepare",
            "1688.payment.url",
            "1688.order.preview",
            "1688.order.create",
            "1688.refund.list",
            "1688.refund.detail",
            "1688.refund.create",
            "messages.failed.list",
            "messages.failed.take",
            "messages.failed.confirm",
            "1688.goods.image_upload",
            "1688.goods.image_search",
            "1688.goods.image_search_direct",
        ),
    ),
}
STATES = {"called", "ready", "refuses"}
CALLBACKS = [(P, "1688"), (P, "taobao"), (X, "1688"), (A, "1688")]


@pytest.mark.parametrize("group", SEEDS)
def test_every_seed_endpoint_has_a_row_with_a_state(group: str) -> None:
    dialect, names = SEEDS[group]
    section = page().split(f"(`{dialect.value}`)\n")[1].split("\n## ")[0]
    for name in names:
        operation = find(dialect, name)
        (row,) = [line for line in section.splitlines() if line.startswith(f"| `{name}` |")]
        cells = [cell.strip() for cell in row.strip("|").split(" | ")]
        assert cells[5] == state_of(operation)
        assert cells[5] in STATES
        assert cells[4] == operation.mark.value


@pytest.mark.parametrize(("dialect", "platform"), CALLBACKS)
def test_every_callback_has_a_row_price_status_and_refund(dialect: Dialect, platform: str) -> None:
    rows = {message.tells: message for message in messages_of(dialect) if message.platform == platform}
    section = page().split(f"(`{dialect.value}`)\n")[1].split("\n## ")[0]
    for tells in ("price", "status", "refund"):
        assert f"| `{rows[tells].type}` | {platform} | {tells} | {rows[tells].mark.value} |" in section


def test_the_page_that_is_checked_in_is_this_page() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()
