"""Nobody reads orders who was not let in, and without a token nobody from outside is."""

import pytest

from tests.config.people import person
from worker.domain.operators import Actor, Role
from worker.operations.access import Access, Denied
from worker.operators import Operators

TOKEN = "correct-horse"
LOCAL_HOST = (b"host", b"127.0.0.1:8080")


def check(token: str | None, peer: str | None, *headers: tuple[bytes, bytes]) -> Denied | None:
    found = Access(Operators(api_token=token)).admit(peer, headers)
    return found if isinstance(found, Denied) else None


def status(denied: Denied | None) -> int:
    return 200 if denied is None else denied.status


@pytest.mark.parametrize(
    "given",
    [
        b"",
        b"Bearer",
        b"Bearer ",
        b"Bearer wrong",
        b"Bearer correct-horse-",
        b"Bearer correct-hors",
        b"Basic correct-horse",
        b"correct-horse",
        b"Bearer \xff\xfe",
    ],
)
def test_a_wrong_token_is_refused(given: bytes) -> None:
    assert status(check(TOKEN, "127.0.0.1", (b"authorization", given))) == 401


def test_a_missing_token_is_refused_even_on_this_machine() -> None:
    assert status(check(TOKEN, "127.0.0.1", LOCAL_HOST)) == 401


def test_two_tokens_are_none() -> None:
    right, wrong = (b"authorization", b"Bearer correct-horse"), (b"authorization", b"Bearer guess")
    assert status(check(TOKEN, "127.0.0.1", right, wrong)) == 401


@pytest.mark.parametrize("scheme", [b"Bearer ", b"bearer ", b"BEARER  "])
def test_the_right_token_lets_in_from_anywhere_and_through_any_proxy(scheme: bytes) -> None:
    headers = [(b"authorization", scheme + TOKEN.encode()), (b"x-forwarded-for", b"1.2.3.4"), (b"host", b"api.shop")]
    assert check(TOKEN, "203.0.113.9", *headers) is None


@pytest.mark.parametrize("peer", ["10.0.0.1", "203.0.113.9", "::ffff:10.0.0.1", "fe80::1", "testclient", "", None])
def test_without_a_token_no_other_machine_is_served(peer: str | None) -> None:
    denied = check(None, peer, LOCAL_HOST)
    assert status(denied) == 403
    assert denied is not None
    assert "set ORDERSYNC_API_TOKEN" in denied.message


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_without_a_token_this_machine_is_served(peer: str) -> None:
    assert check(None, peer, LOCAL_HOST) is None


@pytest.mark.parametrize(
    "name", [b"x-forwarded-for", b"forwarded", b"x-real-ip", b"x-forwarded-host", b"via", b"cf-connecting-ip"]
)
def test_without_a_token_what_a_proxy_forwards_is_refused_since_it_looks_local(name: bytes) -> None:
    denied = check(None, "127.0.0.1", LOCAL_HOST, (name, b"127.0.0.1"))
    assert status(denied) == 403
    assert denied is not None
    assert "set ORDERSYNC_API_TOKEN" in denied.message


@pytest.mark.parametrize("host", [b"evil.example", b"evil.example:8080", b"127.0.0.1.evil.example", b"10.0.0.1", b""])
def test_without_a_token_a_browser_that_a_foreign_name_led_here_is_refused(host: bytes) -> None:
    assert status(check(None, "127.0.0.1", (b"host", host))) == 403


@pytest.mark.parametrize("host", [b"localhost", b"LOCALHOST:8080", b"127.0.0.1", b"127.0.0.1:8080", b"[::1]:8080"])
def test_this_machine_may_be_called_by_its_own_names(host: bytes) -> None:
    assert check(None, "127.0.0.1", (b"host", host)) is None


@pytest.mark.parametrize("token", ["", " ", "\n"])
def test_an_empty_token_is_a_mistake_and_no_open_door(token: str) -> None:
    with pytest.raises(ValueError, match="empty API token"):
        Operators(api_token=token)


def test_a_token_file_may_end_with_a_line_break() -> None:
    assert check("correct-horse\n", "10.0.0.1", (b"authorization", b"Bearer correct-horse")) is None


ANN = person("ann", "approver", "anns-own-token")
BEARER = (b"authorization", b"Bearer anns-own-token")


def test_an_operator_is_known_by_name_and_roles_from_anywhere() -> None:
    for api_token in (TOKEN, None):
        found = Access(Operators([ANN], api_token=api_token)).admit("203.0.113.9", [BEARER])
        assert found == Actor("ann", frozenset({Role.APPROVER, Role.VIEWER}))


def test_the_api_token_reads_and_decides_nothing() -> None:
    found = Access(Operators([ANN], api_token=TOKEN)).admit(
        "203.0.113.9", [(b"authorization", b"Bearer correct-horse")]
    )
    assert found == Actor("api-token", frozenset({Role.VIEWER}))


def test_this_machine_reads_without_a_token_only_where_no_api_token_is_set() -> None:
    found = Access(Operators([ANN])).admit("127.0.0.1", [LOCAL_HOST])
    assert found == Actor("this-machine", frozenset({Role.VIEWER}))
    assert isinstance(Access(Operators([ANN], api_token=TOKEN)).admit("127.0.0.1", [LOCAL_HOST]), Denied)
    assert isinstance(Access(Operators([ANN])).admit("203.0.113.9", [LOCAL_HOST]), Denied)


def test_a_wrong_token_is_not_served_as_this_machine() -> None:
    denied = Access(Operators([ANN])).admit("127.0.0.1", [LOCAL_HOST, (b"authorization", b"Bearer guess")])
    assert isinstance(denied, Denied)
    assert denied.status == 401
