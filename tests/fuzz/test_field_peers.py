"""Drivers under octets of broken devices: none raises, loops, keeps them all, or makes a value of a frame that is none."""

import os
import random

import pytest

from acquisition.drivers.base import Continue, DriverSpec, ExceptionResponse, Foreign
from tests.contract.test_drivers import BOUND_OCTETS, SPECS, TAG, example

EXAMPLES_EACH = int(os.environ.get("FUZZ_EXAMPLES", "5000")) // 5
SEED = int(os.environ.get("FUZZ_SEED", "62056"))
CHECKED = ("modbus-rtu", "modbus-rtu-over-tcp")  # a sum of 16 bits: no mutation of a few octets passes it


def spoilt(answer: bytes, chance: random.Random) -> bytes:
    """`answer` with one to three octets wrong, lost, doubled or put in."""
    octets = bytearray(answer)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(octets))
        match chance.randrange(4):
            case 0:
                octets[at] ^= 1 << chance.randrange(8)
            case 1:
                del octets[at]
            case 2:
                octets.insert(at, octets[at])
            case _:
                octets[at:at] = chance.randbytes(chance.randint(1, 4))
    return bytes(octets)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_a_broken_device_makes_no_driver_raise_and_none_keep_its_octets(spec: DriverSpec) -> None:
    ask, answer, expected = example(spec)
    chance = random.Random(SEED)
    driver, buffer = spec.make(), bytearray()
    for _ in range(EXAMPLES_EACH):
        if chance.random() < 0.2:
            driver.request(ask, TAG)
            buffer.clear()
        came = spoilt(answer, chance) if chance.random() < 0.8 else chance.randbytes(chance.randrange(300))
        for at in range(0, len(came), 7):
            buffer += came[at : at + 7]
            before = len(buffer) + 1
            while (found := driver.take(ask, TAG, buffer)) is not None:
                assert len(buffer) < before
                before = len(buffer)
                if spec.name in CHECKED:
                    assert isinstance(found, Foreign | ExceptionResponse | Continue) or found == expected
        assert len(buffer) <= BOUND_OCTETS
