"""Faults of a device as users write them: the keys with their bounds, and the devices that can have them (pure)."""

from typing import Annotated, Final, Literal, get_args

from pydantic import AfterValidator, Field, model_validator

from acquisition.drivers.device_side import Fault, RegisterRange
from acquisition.simulate.faults.register_range import register_range
from mapping.plan import DevicePlan, Register, RegisterBlock
from mapping.schema.fields import Strict

Kind = Literal[
    "silent", "late", "exception", "busy", "crc", "wrong_unit", "garbage", "swapped", "frozen", "stuck"
]  # fmt: skip
FAULTS: Final[tuple[str, ...]] = get_args(Kind)
WHOLE: Final = ("frozen", "reboot")  # kinds that are no matter of one request


def _registers(text: str) -> str:
    register_range(text)
    return text


class DeviceFaultKeys(Strict):
    """The keys of every fault of a device."""

    kind: str
    ms: Annotated[int, Field(ge=0, le=600_000)] = 1000
    code: Annotated[int, Field(ge=1, le=255)] = 4
    times: Annotated[int, Field(ge=1)] = 3
    registers: Annotated[str, AfterValidator(_registers)] | None = None
    next: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _chosen(self) -> "DeviceFaultKeys":
        for key in ("registers", "next"):
            if getattr(self, key) is not None and self.kind in WHOLE:
                raise ValueError(f"`{key}` chooses requests, and {self.kind} is no matter of one")
        if self.kind == "busy" and self.next is not None:
            raise ValueError("`next`: busy says by `times` how many requests find it so")
        return self

    def fault(self) -> Fault:
        """The fault as the device has it: one that starts is silent."""
        chosen = None if self.registers is None else register_range(self.registers)
        kind = "silent" if self.kind == "reboot" else self.kind
        return Fault(kind, self.ms, self.code, self.times, chosen, self.next)


class DeviceFault(DeviceFaultKeys):
    """A fault that a test gives to a device."""

    kind: Kind


def misfit(fault: DeviceFaultKeys, device: DevicePlan) -> str | None:
    """The reason why no request to `device` is for the registers of `fault`; None if one may be."""
    if fault.registers is None:
        return None
    chosen = register_range(fault.registers)
    if any(chosen.overlaps(one) for one in _asked_for(device)):
        return None
    return f"no request to {device.name} is for {fault.registers}"


def _asked_for(device: DevicePlan) -> list[RegisterRange]:
    """The registers that are read from the device or written to it."""
    registers = [one for point in device.points for one in (point.source, point.write) if isinstance(one, Register)]
    blocks = [one for one in device.blocks if isinstance(one, RegisterBlock)]
    return [RegisterRange(one.table, one.address, one.address + one.count - 1) for one in registers] + [
        RegisterRange(one.table, one.address, one.address + one.count - 1) for one in blocks
    ]
