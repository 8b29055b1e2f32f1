"""Servers on loopback for the client: one that says what a test wants, and the sandbox."""

from collections.abc import AsyncIterator, Iterator

import pytest
import stamina

from tests.marketplaces.examples import RECEIVED_AT
from tests.marketplaces.servers import Scripted, client
from worker.marketplaces.pandapon.client import PandaPonClient
from worker.sandbox.port import Port


@pytest.fixture(autouse=True)
def _no_pauses() -> Iterator[None]:
    """Retries happen as often as in earnest, without the pauses between them."""
    with stamina.set_testing(True, attempts=99, cap=True):  # the cap: never more than the caller's own number
        yield


@pytest.fixture(scope="session")
async def scripted_server() -> AsyncIterator[Scripted]:
    scripted = Scripted()
    port = Port(scripted)
    serving = await port.open()
    scripted.url = port.url
    yield scripted
    port.close()
    await serving


@pytest.fixture
def scripted(scripted_server: Scripted) -> Scripted:
    """A server that answers what it is told and remembers what it was asked."""
    scripted_server.reset()
    return scripted_server


@pytest.fixture(scope="session")
async def api(scripted_server: Scripted) -> AsyncIterator[PandaPonClient]:
    """A client of the scripted server whose clock stands at RECEIVED_AT; a client is dear to make, so all share it."""
    async with client(scripted_server.url, now=RECEIVED_AT) as made:
        yield made
