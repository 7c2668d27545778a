"""The gate in virtual time: which password lets a client in, and how long a no takes."""

import asyncio

import pytest

from mms_server.acsi.clients import Client
from mms_server.network.access_control import FAILED_LOGINS_KEPT, Access, Gate, password_is
from tests.support.wire import run

SECRET = "s3cret-\u00e4"
WRONG = [
    None, b"", b"s", b"s3cret", b"s3cret-", SECRET.encode()[:-1], SECRET.encode("latin-1"), SECRET.encode() + b"\0",
    SECRET.encode() + b"x", b" " + SECRET.encode(), SECRET.upper().encode(), SECRET.encode()[1:], SECRET.encode() * 2,
]  # fmt: skip


def client(address: str = "10.0.0.1:40000") -> Client:
    return Client(1, address, 65_000)


@pytest.mark.parametrize("said", WRONG)
def test_no_part_of_the_password_and_nothing_beyond_it_lets_a_client_in(said: bytes | None) -> None:
    decide = password_is(SECRET)
    assert decide(client(), said) is False
    assert decide(client(), SECRET.encode()) is True


def test_an_empty_password_is_only_the_empty_one() -> None:
    decide = password_is("")
    assert [decide(client(), said) for said in (b"", None, b"\0", b"x")] == [True, False, False, False]


class Login:
    """A gate with a password, and how many seconds each login takes."""

    def __init__(self) -> None:
        self.gate = Gate(Access(authenticate=password_is(SECRET)))

    async def of(self, address: str, said: bytes | None = b"wrong") -> tuple[bool, float]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        let_in = await self.gate.authenticated(client(address), said)
        return let_in, round(loop.time() - began, 3)


def test_each_no_to_an_address_takes_longer_up_to_two_seconds_and_a_yes_begins_anew() -> None:
    async def scenario() -> None:
        login = Login()
        for delay in (0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.0, 2.0):
            port = 40_000 + round(10 * delay)  # the address counts, not the port
            assert await login.of(f"10.0.0.1:{port}") == (False, delay)
        assert await login.of("10.0.0.2:40000", None) == (False, 0.2)
        assert await login.of("10.0.0.2:40000", SECRET.encode()) == (True, 0.0)
        assert await login.of("10.0.0.1:40000") == (False, 2.0)
        assert await login.of("10.0.0.1:40000", SECRET.encode()) == (True, 0.0)
        assert await login.of("10.0.0.1:40000") == (False, 0.2)

    run(scenario())


def test_several_at_a_time_from_one_address_each_take_longer() -> None:
    async def scenario() -> None:
        login = Login()
        took = await asyncio.gather(*(login.of(f"10.0.0.1:{port}") for port in (1, 2, 3)))
        assert took == [(False, 0.2), (False, 0.4), (False, 0.6)]

    run(scenario())


def test_of_more_addresses_than_are_kept_the_one_that_was_quiet_longest_begins_anew() -> None:
    async def scenario() -> None:
        login = Login()
        for last in (1, 2, 1):
            assert not (await login.of(f"10.1.0.{last}:1"))[0]
        await asyncio.gather(*(login.of(f"10.2.{one // 250}.{one % 250}:1") for one in range(FAILED_LOGINS_KEPT - 1)))
        assert await login.of("10.1.0.1:1") == (False, 0.6)
        assert await login.of("10.1.0.2:1") == (False, 0.2)

    run(scenario())
