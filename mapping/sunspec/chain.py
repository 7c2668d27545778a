"""The chain of models that a SunSpec device shows (pure): which models it has, and where each begins.

    40000, 50000 or 0:   | "Su" "nS" | ID | L | L registers | ID | L | ... | FFFF | 0 |

`discover` asks nothing itself: it yields the reads that it needs and is sent the registers, or None where the device
refuses. Steps are by the length that the device announces: model 1 has 65 or 66 registers.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Final

BASES: Final = (40000, 50000, 0)
MARKER: Final = (0x5375, 0x6E53)
END: Final = 0xFFFF
COMMON: Final = 1
MODELS_LIMIT: Final = 100
_TEXTS: Final = {"Mn": (0, 16), "Md": (16, 16), "Vr": (40, 8), "SN": (48, 16)}  # of model 1, behind its header
_TEXTS_END: Final = 64


class SunSpecError(ValueError):
    """A device that is not SunSpec: the registers found, and those expected."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A read of `count` holding registers from `address`."""

    address: int
    count: int


@dataclass(frozen=True, slots=True)
class Model:
    """One model of a chain: its number, the address of its ID register, and the registers that follow ID and L."""

    number: int
    address: int
    length: int


@dataclass(frozen=True, slots=True)
class Chain:
    """The models of a device. `texts` are those of its common model by their names: Mn, Md, Vr, SN."""

    base: int
    models: tuple[Model, ...]
    texts: dict[str, str]
    ended: bool  # False: the device refused to be read on before the chain's end


Words = tuple[int, ...] | None
Asking = Generator[Ask, Words, Chain]


def discover() -> Asking:
    """The chain of the device that answers. Raises SunSpecError if it shows none."""
    for base in BASES:
        if (yield Ask(base, 2)) == MARKER:
            return (yield from _walk(base))
    bases = ", ".join(str(base) for base in BASES[:-1])
    raise SunSpecError(f"no SunSpec device: neither {bases} nor {BASES[-1]} shows SunS (0x5375 0x6e53)")


def _walk(base: int) -> Asking:
    models: list[Model] = []
    texts: dict[str, str] = {}
    address, ended = base + 2, False
    while len(models) < MODELS_LIMIT and address < 0xFFFF:
        header = yield Ask(address, 2)
        if header is None:
            break
        if header[0] == END:
            ended = True
            break
        model = Model(header[0], address, header[1])
        if not models and model.number != COMMON:
            raise SunSpecError(f"the chain at {base} begins with model {model.number}, expected 1, the common model")
        if model.length == 0:
            raise SunSpecError(f"model {model.number} at {address} has no registers: the chain cannot be followed")
        if not models:
            texts = _texts((yield Ask(address + 2, min(model.length, _TEXTS_END))))
        models.append(model)
        address += 2 + model.length
    if not models:
        raise SunSpecError(f"nothing follows SunS at {base}, expected model 1, the common model")
    return Chain(base, tuple(models), texts, ended)


def _texts(words: Words) -> dict[str, str]:
    """The texts of the common model by name; none if the device refuses it."""
    octets = b"".join(word.to_bytes(2, "big") for word in words or ())
    return {
        name: octets[2 * start : 2 * (start + count)].partition(b"\0")[0].decode("ascii", "replace").strip()
        for name, (start, count) in _TEXTS.items()
    }
