"""Nobody gets in who has not proved himself in the way that the account asks for."""

import pytest

from tests.intake.stage import ACCESS_KEY, DOORS, NOW, SECRET, TOKEN
from worker.intake.doors import Door, DoorKind, Refusal
from worker.loopback import is_loopback
from worker.marketplaces.pandapon.signing import TIMESTAMP_WINDOW_MS, signature

NONCE = "n" * 32


def signed(timestamp: str = str(NOW), nonce: str = NONCE, **changes: str) -> dict[bytes, bytes]:
    headers = {
        "access-key": ACCESS_KEY,
        "timestamp": timestamp,
        "nonce-str": nonce,
        "signature": signature(ACCESS_KEY, timestamp, nonce, SECRET),
    } | {name.replace("_", "-"): value for name, value in changes.items()}
    return {name.encode(): value.encode() for name, value in headers.items()}


@pytest.mark.parametrize(
    "token", [None, "", "x", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), TOKEN + "/", "口令", "\ud800", "\x00"]
)
def test_a_wrong_token_finds_no_such_address(token: str | None) -> None:
    assert DOORS["main"].check_address(token, "127.0.0.1") is Refusal.NO_SUCH_ADDRESS


def test_the_right_token_is_let_in_from_anywhere() -> None:
    for host in ("127.0.0.1", "198.51.100.1", "2001:db8::1", None, "no address"):
        assert DOORS["main"].check_address(TOKEN, host) is None


def test_a_door_without_the_key_that_it_asks_for_is_not_built() -> None:
    """An empty token would equal the one that a caller leaves out."""
    with pytest.raises(ValueError, match="asks for a token and has none"):
        Door("a", DoorKind.TOKEN)
    with pytest.raises(ValueError, match="no key or secret"):
        Door("a", DoorKind.SIGNATURE, access_key=ACCESS_KEY)
    with pytest.raises(ValueError, match="no key or secret"):
        Door("a", DoorKind.SIGNATURE, access_secret=SECRET)


@pytest.mark.parametrize("account", ["signed", "open"])
def test_where_no_token_is_asked_for_none_may_be_given(account: str) -> None:
    assert DOORS[account].check_address(TOKEN, "127.0.0.1") is Refusal.NO_SUCH_ADDRESS
    assert DOORS[account].check_address(None, "127.0.0.1") is None


@pytest.mark.parametrize(
    "host", ["198.51.100.1", "10.0.0.1", "2001:db8::1", "::ffff:10.0.0.1", "fe80::1", "", None, "localhost"]
)
def test_an_open_door_is_for_this_machine_alone(host: str | None) -> None:
    assert DOORS["open"].check_address(None, host) is Refusal.FOREIGN_NETWORK


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_this_machine_has_several_addresses(host: str) -> None:
    assert is_loopback(host)
    assert DOORS["open"].check_address(None, host) is None


@pytest.mark.parametrize("name", [b"x-forwarded-for", b"forwarded", b"x-real-ip", b"via", b"x-forwarded-host"])
def test_an_open_door_does_not_trust_a_proxy_on_this_machine(name: bytes) -> None:
    assert DOORS["open"].check_signature({name: b"127.0.0.1"}, b"{}", NOW) is Refusal.FOREIGN_NETWORK
    assert DOORS["open"].check_signature({b"user-agent": b"curl"}, b"{}", NOW) is None
    assert DOORS["main"].check_signature({name: b"198.51.100.1"}, b"{}", NOW) is None


@pytest.mark.parametrize("host", ["203.0.113.9", "2001:db8::9", "::ffff:203.0.113.9"])
def test_a_network_on_the_list_is_let_in(host: str) -> None:
    assert DOORS["fenced"].check_address(TOKEN, host) is None


@pytest.mark.parametrize(
    "host", ["203.0.114.9", "127.0.0.1", "2001:db9::9", "::ffff:203.0.114.9", "", None, "203.0.113.9:80"]
)
def test_another_network_is_not(host: str | None) -> None:
    assert DOORS["fenced"].check_address(TOKEN, host) is Refusal.FOREIGN_NETWORK


def test_who_has_no_token_does_not_learn_that_there_is_a_fence() -> None:
    assert DOORS["fenced"].check_address("guess", "127.0.0.1") is Refusal.NO_SUCH_ADDRESS


@pytest.mark.parametrize(
    "timestamp", [str(NOW), str(NOW // 1000), str(NOW - TIMESTAMP_WINDOW_MS), str(NOW + TIMESTAMP_WINDOW_MS)]
)
def test_a_signature_within_the_window_matches_in_both_units(timestamp: str) -> None:
    assert DOORS["signed"].check_signature(signed(timestamp), b"{}", NOW) is None


@pytest.mark.parametrize(
    "timestamp",
    [str(NOW - TIMESTAMP_WINDOW_MS - 1), str(NOW + TIMESTAMP_WINDOW_MS + 1), "", "0", "now", "-1", "9" * 100],
)
def test_a_right_signature_of_another_time_is_refused(timestamp: str) -> None:
    """Whoever recorded a callback must not be able to send it again next week."""
    assert DOORS["signed"].check_signature(signed(timestamp), b"{}", NOW) is Refusal.BAD_SIGNATURE


@pytest.mark.parametrize(
    "headers",
    [
        {},
        signed(signature=""),
        signed(signature="0" * 32),
        signed(access_key="other"),
        signed(access_key=""),
        signed(nonce_str="other"),
        {name: value for name, value in signed().items() if name != b"timestamp"},
        {name: value for name, value in signed().items() if name != b"nonce-str"},
        dict.fromkeys(signed(), b"\xff" * 9000),
    ],
)
def test_any_other_signature_is_refused(headers: dict[bytes, bytes]) -> None:
    assert DOORS["signed"].check_signature(headers, b"{}", NOW) is Refusal.BAD_SIGNATURE


def test_a_nonce_that_was_signed_as_nothing_may_be_left_out() -> None:
    """Some endpoint pages mark the nonce as optional; then it is signed as an empty text (inferred)."""
    headers = {name: value for name, value in signed(nonce="").items() if name != b"nonce-str"}
    assert DOORS["signed"].check_signature(headers, b"{}", NOW) is None
