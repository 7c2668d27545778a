"""Our client against a server whose answers are broken on the way: it says MmsError, never anything else, and never hangs."""

import contextlib
import os
import random
import re

import pytest

from mms_server.client.client import MmsClient
from mms_server.client.errors import MmsError
from mms_server.engine import Engine
from mms_server.model.tree import DataModel
from tests.fuzz.mutation import mutated
from tests.support import models
from tests.support.engine_client import CLOCK, IDENTITY
from tests.support.memory_wire import MemoryWire

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "5000")) // 20
SEED = int(os.environ.get("FUZZ_SEED", "9506"))
_DATA = re.compile(rb"\x03\x00..\x02\xf0\x80\x01\x00\x01\x00", re.DOTALL)  # what stands before user data: mostly kept


class BrokenWire(MemoryWire):
    """Breaks about one message in `rarity`, most often in its user data."""

    def __init__(self, engine: Engine, chance: random.Random, rarity: int) -> None:
        super().__init__(engine)
        self._chance = chance
        self._rarity = rarity

    def receive(self, until_ns: int) -> bytes | None:
        octets = super().receive(until_ns)
        if not octets or self._chance.randrange(self._rarity):
            return octets
        data = _DATA.match(octets)
        kept = data.end() if data and self._chance.random() < 0.9 else 4
        broken = octets[4:kept] + mutated(octets[kept:], self._chance)[:60_000]
        return b"\x03\x00" + max(len(broken) + 4, 7).to_bytes(2, "big") + broken.ljust(3, b"\0")


def used(mms: MmsClient) -> None:
    """Everything that a client can do."""
    mms.read("LD0/GGIO1.All")
    mms.read("LD0/MMXU1.HA.phsAHar(2)")
    mms.operate("LD0/GGIO1.SPCSO1", True)
    with mms.reports("LD0/LLN0.events", interrogate=True) as reports, contextlib.suppress(AssertionError):
        reports.next()
    with contextlib.suppress(AssertionError):
        mms.wait("LD0/MMXU1.TotW.mag.f", 0.0, within=0.1)
    mms.close()


@pytest.mark.parametrize("rarity", [3, 12])
def test_no_answers_make_a_client_raise_anything_but_its_own_error(rarity: int) -> None:
    chance = random.Random(SEED + rarity)
    ended = 0
    for _ in range(EXAMPLES):
        engine = Engine(DataModel(models.demo()), IDENTITY)
        engine.start(CLOCK.now())
        before = CLOCK.ns
        try:
            used(MmsClient(BrokenWire(engine, chance, rarity), "hostile"))
        except MmsError:
            ended += 1
        assert CLOCK.ns - before < 120_000_000_000
    assert ended > EXAMPLES // 3
