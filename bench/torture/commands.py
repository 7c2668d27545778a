"""Commands of a scene: on, off, on, and then the truth of what was confirmed.

The third command of three is lost on the line, or confirmed by the device and not carried out. A gateway that confirms it has
believed an answer to something else. Commands follow each other at once, so that a twin of the first one's answer can be taken
for the third one's.
"""

import asyncio
import time
from dataclasses import dataclass
from typing import Final

from bench.torture import frames
from bench.torture.gateways import Gateway
from mms_server.client.client import MmsClient
from mms_server.network.client_connection import connect

REFERENCE: Final = "LD0/GGIO1.SPCSO1"
ITEM: Final = "GGIO1$CO$SPCSO1"
ROUNDS: Final = 7
PAUSE_S: Final = 0.7
ANSWER_S: Final = 10.0
WRITE_COIL: Final = 5
ORDERS: Final = (True, False, True)


class Relay:
    """Coil 0 of a unit. `obeys` is False while a command has no effect; `echoes`: the device confirms it all the same."""

    def __init__(self, *, echoes: bool) -> None:
        self.state, self.obeys, self.echoes = False, True, echoes

    def answer(self, units: dict[int, int], request: bytes) -> bytes | None:
        """The response to a write of the coil, a read of it, or any other read."""
        if request[1] == WRITE_COIL:
            if self.obeys:
                self.state = request[4] == 0xFF
            return request if self.obeys or self.echoes else None
        if request[1] == 1:
            return frames.rtu(request[:2] + bytes((1, self.state)))
        return frames.answer_rtu(units, request)


@dataclass(slots=True)
class Commands:
    """Counts: commands that were given, confirmed, confirmed and not carried out; those that the device would obey."""

    possible: int = 0
    possible_confirmed: int = 0
    confirmed: int = 0
    wrong: int = 0


async def ordered(relay: Relay, gateway: Gateway, reference: str) -> Commands:
    """Seven times on, off, on. Raises MmsError if the gateway has no such control."""
    return await asyncio.to_thread(_ordered, relay, gateway, reference)


def _ordered(relay: Relay, gateway: Gateway, reference: str) -> Commands:
    """In a thread of its own: nothing but the gateway's answer lies between two commands."""
    found = Commands()
    client = connect(gateway.host, gateway.port, timeout=ANSWER_S)
    try:
        client.operate(reference, False, timeout=ANSWER_S)  # the client knows the object from here on
        for _ in range(ROUNDS):
            relay.state = False  # by hand, at the device
            time.sleep(PAUSE_S)
            for number, value in enumerate(ORDERS):
                relay.obeys = number < len(ORDERS) - 1
                _order(relay, client, reference, value, found)
            relay.obeys = True
    finally:
        client.close()
    return found


def _order(relay: Relay, client: MmsClient, reference: str, value: bool, found: Commands) -> None:
    confirmed = bool(client.operate(reference, value, timeout=ANSWER_S))
    found.possible += relay.obeys
    found.possible_confirmed += relay.obeys and confirmed
    found.confirmed += confirmed
    found.wrong += confirmed and relay.state is not value
