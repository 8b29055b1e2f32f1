"""A plan is taken whole or not at all, and what is wrong with it is said without repeating what was sent."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.plans import RECEIVER_FIELDS, Freight, Plan, PlanError, read_plan, written

PHONE = "+1 555 0100 9999"
RECEIVER = {"name": "Jo Doe", "country": "US", "address": "1 Main St", "phone": PHONE}
FREIGHT = {"service_id": "S1", "company": "Carrier", "category": "express", "max_price": "80.50"}
WHOLE: dict[str, Any] = {
    "planned_total": "123.45",
    "own_order_number": "PO-77",
    "auto_pay": False,
    "cancel_reason": "bought twice",
    "receiver": RECEIVER,
    "freight": FREIGHT,
}
words = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)


def test_a_whole_plan_is_read() -> None:
    assert read_plan(WHOLE) == Plan(
        12_345, "PO-77", False, "bought twice", RECEIVER, Freight("S1", "Carrier", "express", 8_050)
    )


def test_a_plan_may_say_nothing() -> None:
    assert read_plan({}) == read_plan(dict.fromkeys(WHOLE)) == Plan()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"planned_total": 123.45}, "planned_total: expected an amount as text"),
        ({"planned_total": "1.234"}, "planned_total: expected an amount as text"),
        ({"planned_total": "-1"}, "planned_total: expected an amount as text"),
        ({"planned_total": "0.00"}, "planned_total: expected more than zero"),
        ({"planned_total": "NaN"}, "planned_total: expected an amount as text"),
        ({"planed_total": "1"}, "planed_total: there is no such field; expected planned_total, own_order_number"),
        ({"\x1b[2J": "1"}, r"\(unprintable\): there is no such field"),
        ({"own_order_number": 77}, "own_order_number: expected 1 to 64 printable characters"),
        ({"own_order_number": "x" * 65}, "own_order_number: expected 1 to 64"),
        ({"own_order_number": "a\nb"}, "own_order_number: expected 1 to 64 printable"),
        ({"auto_pay": "no"}, "auto_pay: expected true, false or null"),
        ({"auto_pay": 0}, "auto_pay: expected true, false or null"),
        ({"cancel_reason": " "}, "cancel_reason: expected 1 to 200 printable"),
        ({"receiver": "Jo"}, "receiver: expected an object"),
        ({"receiver": {}}, r"receiver\.name: expected 1 to 300.*receiver\.country.*receiver\.address"),
        ({"receiver": RECEIVER | {"country": "usa"}}, r"receiver\.country: expected two capital letters"),
        ({"receiver": RECEIVER | {"phone": 5}}, r"receiver\.phone: expected 1 to 300"),
        ({"receiver": RECEIVER | {"fax": "5"}}, r"receiver\.fax: there is no such field"),
        ({"freight": {"service_id": "S1"}}, r"freight\.company: expected 1 to 100.*freight\.category"),
        ({"freight": FREIGHT | {"max_price": 80}}, r"freight\.max_price: expected an amount as text"),
        ({"freight": FREIGHT | {"currency": "yuan"}}, r"freight\.currency: expected"),
        ({"freight": FREIGHT | {"currency": "cny"}}, r"freight\.currency: expected three capital letters"),
    ],
)
def test_what_is_wrong_is_said(change: dict[str, Any], why: str) -> None:
    with pytest.raises(PlanError, match=why):
        read_plan(WHOLE | change)


@pytest.mark.parametrize("document", [None, [], "{}", 7])
def test_a_plan_is_an_object(document: object) -> None:
    with pytest.raises(PlanError, match="expected a JSON object"):
        read_plan(document)


def test_neither_a_mistake_nor_a_repr_shows_whom_the_goods_go_to() -> None:
    with pytest.raises(PlanError) as caught:
        read_plan(WHOLE | {"receiver": RECEIVER | {"phone": PHONE + "\n", "country": PHONE}})
    assert PHONE not in str(caught.value)
    assert len(caught.value.mistakes) == 2
    shown = repr(read_plan(WHOLE))
    assert PHONE not in shown
    assert "Jo Doe" not in shown


plans = st.builds(
    Plan,
    st.one_of(st.none(), st.integers(1, 10**10)),
    st.one_of(st.none(), words),
    st.one_of(st.none(), st.booleans()),
    st.one_of(st.none(), words),
    st.one_of(
        st.none(),
        st.fixed_dictionaries(
            {"name": words, "country": st.sampled_from(["US", "DE"]), "address": words},
            optional={name: words for name in RECEIVER_FIELDS if name not in {"name", "country", "address"}},
        ),
    ),
    st.one_of(
        st.none(),
        st.builds(
            Freight, words, words, words, st.one_of(st.none(), st.integers(0, 10**9)), st.just("USD"),
            st.one_of(st.just(""), words),
        ),
    ),
)  # fmt: skip


@given(plans)
def test_what_is_written_reads_as_the_same_plan(plan: Plan) -> None:
    assert read_plan(written(plan)) == plan


leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text())
documents = st.recursive(
    leaves, lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)), max_leaves=8
)


@given(documents)
def test_whatever_comes_is_a_plan_or_a_mistake(document: object) -> None:
    for given_document in (document, {"receiver": document, "freight": document, "planned_total": document}):
        with contextlib.suppress(PlanError):
            plan = read_plan(given_document)
            assert read_plan(written(plan)) == plan
