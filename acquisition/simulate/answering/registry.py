"""The devices' side of each protocol, by its name in site.yaml."""

from collections.abc import Mapping

from acquisition.simulate.answering.adam_ascii import Adam
from acquisition.simulate.answering.base import Answering, Devices
from acquisition.simulate.answering.iec62056_21 import Readouts
from acquisition.simulate.answering.modbus import Ascii, Mbap, Rtu
from acquisition.simulate.answering.serial_ascii import Lines


def answering(protocol: str, devices: Devices, settings: Mapping[str, str | int | float | bool]) -> Answering:
    """The devices' side of `protocol`."""
    match protocol:
        case "modbus-rtu" | "modbus-rtu-over-tcp":
            return Rtu(devices)
        case "modbus-ascii":
            return Ascii(devices)
        case "adam-ascii":
            return Adam(devices, checksum=bool(settings.get("checksum", False)))
        case "serial-ascii":
            return Lines(devices)
        case "iec62056-21":
            return Readouts(devices, int(settings["baudrate"]), fixed=bool(settings.get("fixed_baudrate", False)))
    return Mbap(devices)
