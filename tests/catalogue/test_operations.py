"""The catalogue says what is there, how sure that is, and what may never be repeated."""

import re
from pathlib import Path

import pytest

from tools.check_operations import PAGE, page, state_of
from tools.report import ROOT
from worker.catalogue.called import CALLED
from worker.catalogue.fields import ANSWERS, REQUESTS
from worker.catalogue.inferred import INFERRED_ANSWERS, INFERRED_REQUESTS
from worker.catalogue.operation import Auth, Dialect, EffectClass, Form, Kind, Mark
from worker.catalogue.tables import OPERATIONS, find, operations_of
from worker.catalogue.words import fields

CLIENTS = {
    Dialect.PANDAPON: ROOT / "worker" / "marketplaces" / "pandapon",
    Dialect.XPORT: ROOT / "worker" / "marketplaces" / "pandapon",
    Dialect.ALIBABA1688: ROOT / "worker" / "marketplaces" / "alibaba1688",
}
NAME = re.compile(r'"((?:1688|taobao|auth|messages|basis|warehouse|wms|system)\.[a-z_.]+)"')
MONEY = re.compile(
    r"\b(pay|order\.create|batch_create|fast_create|confirm_receipt|book|cancel|batch_submit)\b|payment\.prepare"
)


def named_in(folder: Path) -> set[str]:
    return {name for path in folder.glob("*.py") for name in NAME.findall(path.read_text(encoding="utf-8"))}


def test_names_are_unique_within_a_dialect() -> None:
    for dialect in Dialect:
        names = [operation.name for operation in operations_of(dialect)]
        assert len(names) == len(set(names))


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: f"{one.dialect}-{one.name}")
def test_a_path_is_known_or_the_operation_is_marked_as_unknown(operation: object) -> None:
    assert isinstance(operation, type(OPERATIONS[0]))
    assert all(path.startswith("/") for path in operation.paths.values())
    assert operation.paths or operation.mark is Mark.UNKNOWN
    assert (state_of(operation) == "refuses") == (not operation.paths)
    assert operation.source


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: f"{one.dialect}-{one.name}")
def test_nothing_that_moves_money_is_called_a_safe_read(operation: object) -> None:
    assert isinstance(operation, type(OPERATIONS[0]))
    if MONEY.search(operation.name) and operation.name != "1688.payment.url":
        assert operation.effect is EffectClass.IRREVERSIBLE_EFFECT


def test_the_get_that_pays_is_irreversible() -> None:
    pay = find(Dialect.PANDAPON, "1688.order.pay")
    assert (pay.method, pay.effect) == ("GET", EffectClass.IRREVERSIBLE_EFFECT)


def test_the_cursor_that_confirms_what_it_reads_is_no_read() -> None:
    assert find(Dialect.ALIBABA1688, "messages.failed.take").effect is EffectClass.IRREVERSIBLE_EFFECT
    assert find(Dialect.ALIBABA1688, "messages.failed.list").effect is EffectClass.SAFE_READ


def test_the_warehouse_signs_in_the_query_and_the_open_platform_by_form() -> None:
    for operation in OPERATIONS:
        if operation.name.startswith("warehouse."):
            assert operation.auth is Auth.QUERY
        if operation.dialect is Dialect.ALIBABA1688:
            assert operation.form in (Form.FORM, Form.MULTIPART)


def test_what_the_clients_name_exists_and_is_what_the_page_calls_called() -> None:
    for dialect, folder in CLIENTS.items():
        speaking = [one for one, its_folder in CLIENTS.items() if its_folder == folder]  # two share a client
        known = {operation.name for one in speaking for operation in operations_of(one)}
        assert named_in(folder) <= known
        assert named_in(folder) == CALLED[dialect]


def test_fields_are_told_of_operations_that_exist() -> None:
    for dialect, name in [*REQUESTS, *ANSWERS]:
        assert find(dialect, name).name == name


def test_a_guess_says_that_it_is_one_and_stands_in_for_nothing_that_is_known() -> None:
    for dialect, name in [*INFERRED_REQUESTS, *INFERRED_ANSWERS]:
        operation = find(dialect, name)
        known = REQUESTS[dialect, name] if (dialect, name) in INFERRED_REQUESTS else operation.answer
        assert all(field.mark is Mark.INFERRED for field in known), name
        if (dialect, name) in INFERRED_ANSWERS:
            assert operation.answer_mark is Mark.INFERRED


def test_a_field_is_written_as_a_word() -> None:
    wanted, personal = fields("orderId*:id_number", "receiver!:object")
    assert (wanted.path, wanted.kind, wanted.required) == ("orderId", Kind.ID_NUMBER, True)
    assert (personal.path, personal.personal, personal.required) == ("receiver", True, False)
    with pytest.raises(ValueError, match="dollars"):
        fields("price:dollars")


def test_yuan_and_fen_of_one_answer_are_told_apart() -> None:
    kinds = {field.path: field.kind for field in find(Dialect.PANDAPON, "1688.order.detail").answer}
    assert kinds["baseInfo.totalAmount"] is Kind.YUAN
    assert kinds["baseInfo.discount"] is Kind.FEN


def test_the_page_is_what_the_catalogue_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()
    for operation in OPERATIONS:
        assert f"| `{operation.name}` |" in page()
