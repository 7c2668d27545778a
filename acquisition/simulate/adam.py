"""An ADAM module from its own side: a command in, the answer out (pure). Its points are those of its profile.

What it does not know it leaves unanswered, as the modules do; a channel that it does not have it refuses.
"""

import re
import struct
from typing import Final

from acquisition.simulate.device import SimulatedDevice
from mapping.plan import PointPlan

_COMMAND: Final = re.compile(r"([#$])([0-9A-F]{2})(.+)")
_OUTPUTS: Final = 8


def unit_of(command: str) -> int | None:
    """Whom the command is for; None if it is none."""
    match = _COMMAND.fullmatch(command)
    return None if match is None else int(match.group(2), 16)


def answer(device: SimulatedDevice, command: str) -> str:
    """What the module answers; empty if it says nothing."""
    sign, address, rest = command[0], command[1:3], command[3:]
    if sign == "$" and rest == "6":
        return f"!{_bits(device):04X}00"
    if match := re.fullmatch(r"6C([0-9A-F])", rest):
        point = device.at("holding", int(match.group(1), 16))
        return f"?{address}" if point is None else f"!{address}{_digits(device, point)}"
    if match := re.fullmatch(r"[0-9A-F]", rest):
        point = device.at("input", int(match.group(), 16))
        return f"?{address}" if point is None else f">{_digits(device, point)}"
    if match := re.fullmatch(r"1([0-7])0([01])", rest):
        bit = int(match.group(2))
        return _set(device, "coil", int(match.group(1)), bool(bit), (bit,)) or f"?{address}"
    if match := re.fullmatch(r"C([0-9A-F])([+-][0-9.]{6})", rest):
        number = float(match.group(2))
        words = struct.unpack(">2H", struct.pack(">f", number))
        return _set(device, "holding", int(match.group(1), 16), number, words) or f"?{address}"
    return f"?{address}" if sign == "#" else ""


def _bits(device: SimulatedDevice) -> int:
    """Inputs in the lower octet and upwards, outputs in the upper one."""
    word = 0
    for (table, address), bit in device.registers.items():
        if table in ("coil", "discrete"):
            word |= bool(bit) << address + (_OUTPUTS if table == "coil" else 0)
    return word & 0xFFFF


def _digits(device: SimulatedDevice, point: PointPlan) -> str:
    """Sign and five digits, as many of them behind the point as there is room for."""
    number = (float(device.values.get(point.local_name) or 0) - point.offset) / point.scale
    whole = max(len(f"{abs(number):.0f}"), 2)
    return f"{number:+07.{max(5 - whole, 0)}f}" if whole < 5 else "+9999"


def _set(device: SimulatedDevice, table: str, address: int, value: float, words: tuple[int, ...]) -> str:
    """`>` if the module has that output; empty if it has not."""
    point = device.at(table, address)
    if point is None or point.write is None:
        return ""
    device.take(point, value if table == "coil" else value * point.scale + point.offset, words)
    return ">"
