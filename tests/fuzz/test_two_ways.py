"""A server with a memory of what was asked, and one without: whatever clients send, both say the same.

Each seed is a life of three clients with sizes of their own: requests of all kinds, most of them asked again and again, one by
one or many together, in pieces, some of them broken; while values change, and while a client does not read.
"""

import asyncio
import logging
import os
import random
from collections import Counter

import pytest

from mapping.model import LogicalNode, LogicalNodeType
from mms_server.association.read_fast_path import ReadFastPath
from mms_server.engine import Engine
from mms_server.model.tree import DataModel
from mms_server.network.server import MmsServer
from tests.fuzz.mutation import mutated
from tests.support import models
from tests.support.client import CONNECT, CR, request
from tests.support.engine_client import (
    CLOCK,
    IDENTITY,
    component,
    name,
    read_request,
    select,
    tlv,
    variable,
    write_body,
)
from tests.support.memory_server import MemoryServer, turns
from tests.support.wire_data import boolean, text, unsigned

SEEDS = max(int(os.environ.get("FUZZ_EXAMPLES", "5000")) // 1250, 2)
STEPS = 150
FIRST = int(os.environ.get("FUZZ_SEED", "9506"))
LD = "DEMOLD0"
THERE = ["MMXU1$MX$TotW", "MMXU1$MX$TotW$mag$f", "MMXU1$MX$TotW$q", "MMXU1$MX$HA", "GGIO1$ST$Ind1"]
ITEMS = [
    *THERE,
    "GGIO1$ST",
    "LLN0$RP$events01",
    "LLN0",
    "none$MX",
    "SPC1$CO$SPC$SBO",
    "SPC1$CF$SPC$ctlModel",
    "LLN0$SP$SGCB",
]
LISTS = [name(LD, "LLN0$measured"), name(LD, "LLN0$made"), tlv(0x82, b"own"), tlv(0x80, b"none")]
VALUES = {"LD0/MMXU1.TotW.mag.f": (1.5, 2.5, 3.5), "LD0/GGIO1.Ind1.stVal": (True, False)}
NUMBERS = [0, 127, 128, 255, 256, 1 << 16, 1 << 24, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 32]
ODD_NUMBERS = [b"", b"\xff", b"\x00\x01", bytes(4), bytes(256) + b"\x05"]
Asked = tuple[int, bytes]  # service, body


class Forgetful(MmsServer):
    """The server without a memory of what was asked."""

    def read_fast_path(self, context: int) -> None:
        return None


def serving(kind: type[MmsServer]) -> MemoryServer:
    control = LogicalNodeType("SPC", "GGIO", (models.of_class("SPC", 2),))
    nodes = (models.node(models.MMXU), models.node(models.GGIO), LogicalNode("SPC1", "GGIO", "1", "", control))
    return MemoryServer(Engine(DataModel(models.server(models.lln0(), *nodes)), IDENTITY), kind)


class Life:
    """Three clients of both sides, and what chance makes them do."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.sides = (serving(MmsServer), serving(Forgetful))
        self.usual: list[Asked] = []
        self.alive: list[int] = []
        self.many = self.chance.choice([(1, 2), (9, 10), (1, 9, 40)])
        if self.chance.random() < 0.5:  # a data set that comes and goes
            listed = tlv(0xA1, LISTS[1])
            made = (0xAB, LISTS[1] + tlv(0xA0, variable(LD, ITEMS[0])))
            self.usual = [(0xA4, tlv(0xA1, listed))] * 4 + [made, (0xAD, listed)]

    async def settle(self) -> None:
        """Let both come to rest, every peer reading."""
        busy = True
        while busy:
            await turns()
            busy = sum(pipe.read() for side in self.sides for pipe in side.pipes) > 0

    async def associate(self) -> None:
        sizes = {bytes.fromhex("c0010d"): [7, 8, 10, 13], bytes.fromhex("810105"): [1, 5]}
        octets = CR + CONNECT.replace(
            bytes.fromhex("800300fde8"), b"\x80\x03" + self.chance.choice([512, 1500, 65000]).to_bytes(3, "big")
        )
        for usual, others in sizes.items():
            octets = octets.replace(usual, usual[:2] + bytes((self.chance.choice(others),)))
        for side in self.sides:
            side.connect()
            await side.send(-1, octets[: len(CR)])
            await side.send(-1, octets[len(CR) :])
        await self.settle()
        self.alive.append(len(self.sides[0].pipes) - 1)

    # ------------------------------------------------------------------ what is said

    def request(self) -> Asked:
        chance = self.chance
        match chance.choice(["items"] * 6 + ["list"] * 3 + ["part", "write", "define", "delete", "names"]):
            case "items":
                count = chance.choice(self.many)
                items = THERE if chance.random() < 0.7 else ITEMS
                body = read_request(*(variable(LD, chance.choice(items)) for _ in range(count)))
                return 0xA4, (b"\x80\x01\xff" if chance.random() < 0.1 else b"") + body
            case "list":
                return 0xA4, tlv(0xA1, tlv(0xA1, chance.choice(LISTS)))
            case "part":
                return 0xA4, read_request(variable(LD, "MMXU1$MX", select(component("TotW"), component("mag"))))
            case "write":
                block = "LLN0$RP$events01"
                pair = chance.choice(
                    [
                        (f"{block}$RptEna", boolean(chance.random() < 0.6)),
                        (f"{block}$DatSet", text(f"{LD}/LLN0$made")),
                        ("MMXU1$CF$TotW$db", unsigned(chance.randrange(100))),
                    ]
                )
                return 0xA5, write_body(LD, pair)
            case "define":
                members = b"".join(variable(LD, item) for item in chance.sample(THERE, 2))
                return 0xAB, chance.choice(LISTS) + tlv(0xA0, members)
            case "delete":
                return 0xAD, tlv(0xA1, chance.choice(LISTS))
            case _:
                return 0xA1, tlv(0xA0, tlv(0x80, b"\x09")) + tlv(0xA1, tlv(0x81, LD.encode()))

    def packet(self, *, broken: bool = False) -> bytes:
        chance = self.chance
        if len(self.usual) < 6 or chance.random() < 0.005:
            self.usual = [*self.usual[-5:], self.request()]
        reads = [one for one in self.usual if one[0] == 0xA4]
        service, body = chance.choice(reads if reads and chance.random() < 0.85 else self.usual)
        number = chance.randrange(128) if chance.random() < 0.9 else chance.choice(NUMBERS)
        octets = number.to_bytes(number.bit_length() // 8 + 1, "big")
        if chance.random() < 0.01:
            octets = chance.choice(ODD_NUMBERS)
        pdu = self.wrap(0xA0, self.wrap(0x02, octets) + self.wrap(service, body))
        tsdu = b"\x01\x00\x01\x00" + self.wrap(0x61, self.wrap(0x30, b"\x02\x01\x03" + self.wrap(0xA0, pdu)))
        if broken:
            tsdu = mutated(tsdu, chance)[:60_000]
        at = chance.randrange(len(tsdu) + 1) if chance.random() < 0.03 else 0
        return (tpdu(tsdu[:at], b"\x00") if at else b"") + tpdu(tsdu[at:], b"\x80")

    def wrap(self, tag: int, contents: bytes) -> bytes:
        """`contents` under `tag`; now and then their length is longer than it need be."""
        if self.chance.random() < 0.005:
            octets = self.chance.choice([2, 4])
            return bytes((tag, 0x80 | octets)) + len(contents).to_bytes(octets, "big") + contents
        return tlv(tag, contents)

    async def say(self, number: int) -> None:
        chance = self.chance
        octets = b"".join(self.packet() for _ in range(chance.choice([1, 1, 1, 1, 1, 2, 3, 40])))
        if chance.random() < 0.05:
            octets = self.packet(broken=True)  # alone: what came with it may or may not be carried out
        cuts = sorted(chance.randrange(len(octets)) for _ in range(chance.choice([0, 0, 0, 0, 0, 0, 0, 1, 3])))
        if len(octets) < 200 and chance.random() < 0.02:
            cuts = list(range(1, len(octets)))
        high = chance.choice([1 << 30, 1 << 30, 2000, 100])
        for side in self.sides:
            side.pipes[number].high = high
            for start, end in zip([0, *cuts], [*cuts, len(octets)], strict=True):
                if start < end:
                    await side.send(number, octets[start:end])

    def change(self) -> None:
        reference = self.chance.choice(list(VALUES))
        value = self.chance.choice(VALUES[reference])
        for side in self.sides:
            side.engine.commit([(side.engine.model.find(reference), value)], CLOCK.now())
            side.server.changed()

    # ------------------------------------------------------------------ and what comes back

    async def go_on(self) -> None:
        """One step: a client says something, or a value changes; who was cut off comes again."""
        while len(self.alive) < 3:
            await self.associate()
        number = self.chance.choice(self.alive)
        if self.chance.random() < 0.2:
            self.change()
        else:
            await self.say(number)
        await self.settle()
        self.compare()

    def compare(self) -> None:
        for number, pipes in enumerate(zip(*(side.pipes for side in self.sides), strict=True)):
            one, other = (bytes(pipe.written) for pipe in pipes)
            ended = pipes[0].is_closing()
            assert pipes[1].is_closing() == ended
            for pipe in pipes:
                pipe.written.clear()
            if one != other:
                # a Reject overtakes answers that wait for their turn, and an abort those of what came with it
                more, fewer = Counter(packets(one)), Counter(packets(other))
                assert more == fewer or (ended and not fewer - more)
            if ended and number in self.alive:
                self.alive.remove(number)
                for pipe in pipes:
                    pipe.connection.connection_lost(None)


def tpdu(octets: bytes, eot: bytes) -> bytes:
    return b"\x03\x00" + (len(octets) + 7).to_bytes(2, "big") + b"\x02\xf0" + eot + octets


def packets(octets: bytes) -> list[bytes]:
    found = []
    while octets:
        size = int.from_bytes(octets[2:4], "big")
        found.append(octets[:size])
        octets = octets[size:]
    return found


def test_a_known_read_in_the_midst_of_another_message_is_a_part_of_that() -> None:
    async def scenario() -> None:
        life = Life(0)
        await life.associate()
        read = request(0xA4, read_request(variable(LD, THERE[0])))
        for octets in (read, read, tpdu(read[7:40], b"\x00"), read):
            for side in life.sides:
                await side.send(0, octets)
        one, other = (bytes(side.pipes[0].written) for side in life.sides)
        assert one == other
        assert life.sides[0].pipes[0].is_closing()

    asyncio.run(scenario())


def test_what_is_answered_from_memory_is_what_would_be_answered_without(monkeypatch: pytest.MonkeyPatch) -> None:
    logging.disable(logging.CRITICAL)
    known = 0
    plainly = ReadFastPath.answer

    def counted(fast_path: ReadFastPath, *asked: object) -> bytes | None:
        nonlocal known
        answer = plainly(fast_path, *asked)  # type: ignore[arg-type]
        known += answer is not None
        return answer

    monkeypatch.setattr(ReadFastPath, "answer", counted)

    async def live(seed: int) -> None:
        life = Life(seed)
        for side in life.sides:
            await side.server.start("127.0.0.1", 0)
        for _ in range(STEPS):
            await life.go_on()
        for side in life.sides:
            await side.server.stop()

    for seed in range(FIRST, FIRST + SEEDS):
        asyncio.run(live(seed))
    logging.disable(logging.NOTSET)
    assert known > SEEDS  # or nothing was tried
