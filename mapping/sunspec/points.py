"""Points of a profile from SunSpec's definition of a model (pure, but for reading pysunspec2's files).

Value = raw * 10^SF, and the scale factor is a register of the same model: `scale_from`. A point that a device does not have
shows the value that SunSpec reserves for that; an accumulator shows 0, which cannot be told from a true 0.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

from mapping import units
from mapping.sunspec.chain import Model, SunSpecError
from mapping.sunspec.names import quantity, snake

REQUEST_LIMIT: Final = 125
_TYPES: Final[dict[str, tuple[str, int | str]]] = {
    "int16": ("int16", -0x8000), "sunssf": ("int16", -0x8000), "uint16": ("uint16", 0xFFFF),
    "count": ("uint16", 0xFFFF), "enum16": ("uint16", 0xFFFF), "bitfield16": ("uint16", 0xFFFF),
    "acc16": ("uint16", 0), "int32": ("int32", -0x8000_0000), "uint32": ("uint32", 0xFFFF_FFFF),
    "enum32": ("uint32", 0xFFFF_FFFF), "bitfield32": ("uint32", 0xFFFF_FFFF), "acc32": ("uint32", 0),
    "int64": ("int64", -0x8000_0000_0000_0000), "uint64": ("uint64", 0xFFFF_FFFF_FFFF_FFFF), "acc64": ("uint64", 0),
    "float32": ("float32", "nan"), "float64": ("float64", "nan"),
}  # fmt: skip
"""SunSpec's types that become points: the register's type, and the raw value for what is not there."""
_UNITS: Final = {
    "C": "degC",
    "Pct": "%",
    "Var": "var",
    "Varh": "varh",
    "Secs": "s",
    "%WHRtg": "%",
    "Degrees": "deg",
    "mps": "m/s",
    "HPa": "hPa",
}
_HEADER: Final = 2


@dataclass(frozen=True, slots=True)
class SunSpecPoint:
    """One point: the keys of a profile's point, with the name of its scale factor's point where it has one."""

    name: str
    register: str
    scale: float | None = None
    scale_from: str | None = None
    unit: str = ""
    proposes: str | None = None
    absent: int | str | None = None
    enum: tuple[tuple[int, str], ...] = ()


def definition(number: int) -> dict[str, Any] | None:
    """pysunspec2's definition of model `number`, None if it has none. Raises SunSpecError if it is not installed."""
    try:
        file = files("sunspec2") / "models" / "json" / f"model_{number}.json"
    except ModuleNotFoundError as error:
        raise SunSpecError("pysunspec2 has the models: pip install 'mms-gateway[sunspec]'") from error
    if not file.is_file():
        return None
    group: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))["group"]
    return group


def points(model: Model, group: dict[str, Any]) -> list[SunSpecPoint]:
    """The points of `model`, by address, as far as the length reaches that the device announces.

    A group that repeats fills the rest of the length; groups whose number stands in a register are left out.
    """
    end = model.address + _HEADER + model.length
    placed = list(_placed(model, group, end))
    scales = {point["name"]: _name(model, group["name"], point["name"]) for _, _, point in placed if _is_scale(point)}
    found = [_point(model, prefix, address, point, scales) for prefix, address, point in placed]
    return [one for one in found if one is not None]


def _placed(model: Model, group: dict[str, Any], end: int) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Each point with the name of its group and its address."""
    address = model.address
    for point in group["points"]:
        if point["name"] not in ("ID", "L") and address + point["size"] <= end:
            yield group["name"], address, point
        address += point["size"]
    for inner in group.get("groups", ()):
        size = sum(point["size"] for point in inner["points"])
        if inner.get("count") != 0 or inner.get("groups"):
            return
        for index in range(max(end - address, 0) // size):
            prefix, within = f"{group['name']}_{index + 1}", address + index * size
            for point in inner["points"]:
                if point["name"] != "ID":
                    yield prefix, within, point
                within += point["size"]


def _is_scale(point: dict[str, Any]) -> bool:
    return bool(point["type"] == "sunssf")


def _name(model: Model, group: str, point: str) -> str:
    return quantity(model.number, group, point)[0]


def _point(
    model: Model, group: str, address: int, point: dict[str, Any], scales: dict[str, str]
) -> SunSpecPoint | None:
    name, proposes = quantity(model.number, group, point["name"])
    if point["type"] == "string":
        return SunSpecPoint(name, f"holding {address} string:{point['size']}")
    if point["type"] not in _TYPES:
        return None
    kind, absent = _TYPES[point["type"]]
    factor = point.get("sf")
    percent = point.get("units") == "Pct" and "power_factor" in name
    scale = 0.01 if percent else 10.0**factor if isinstance(factor, int) else None
    symbols = point.get("symbols", ()) if point["type"].startswith("enum") else ()
    return SunSpecPoint(
        name,
        f"holding {address} {kind}",
        scale,
        scales.get(factor) if isinstance(factor, str) else None,
        "" if percent or symbols else _unit(point.get("units", "")),
        proposes,
        absent,
        tuple((one["value"], snake(one["name"].lower())) for one in symbols),
    )


def _unit(symbol: str) -> str:
    """SunSpec's unit as it is written here; none where there is no such unit."""
    written = _UNITS.get(symbol, symbol)
    return written if units.parse(written) is not None else ""
