"""Names of SunSpec's points in profiles, and the data objects of IEC 61850 that they propose.

AC quantities of inverters (101..113, 701) and meters (201..214) have the names that all profiles have; points of other
models are named by their model's group and the point: `mppt_1_dc_power`, `battery_state_of_charge`.
"""

import re
from typing import Final

_PHASES: Final = (("A", "1"), ("B", "2"), ("C", "3"))
_LINES: Final = (("AB", "l1_l2"), ("BC", "l2_l3"), ("CA", "l3_l1"))
AC_MODELS: Final = frozenset({101, 102, 103, 111, 112, 113, 201, 202, 203, 204, 211, 212, 213, 214, 701})
METERS: Final = frozenset({201, 202, 203, 204, 211, 212, 213, 214})
MEASURING: Final = AC_MODELS | {160, 302, 303, 304, 305, 306, 307, 308, 401, 402, 403, 404, 714, 802, 803, 804}
"""The models whose points are measurements; the others are settings, curves and the network."""


def _quantities() -> dict[str, tuple[str, str | None]]:
    found: dict[str, tuple[str, str | None]] = {
        "A": ("current_sum", None),
        "PhV": ("voltage_average", "MMXU.AvPhVPhs"), "LNV": ("voltage_average", "MMXU.AvPhVPhs"),
        "PPV": ("voltage_ll_average", "MMXU.AvPPVPhs"), "LLV": ("voltage_ll_average", "MMXU.AvPPVPhs"),
        "W": ("total_active_power", "MMXU.TotW"), "VA": ("total_apparent_power", "MMXU.TotVA"),
        "VAR": ("total_reactive_power", "MMXU.TotVAr"), "PF": ("total_power_factor", "MMXU.TotPF"),
        "Hz": ("frequency", "MMXU.Hz"), "WH": ("export_energy", "MMTR.SupWh"),
        "TOTWHEXP": ("export_energy", "MMTR.SupWh"), "TOTWHIMP": ("import_energy", "MMTR.DmdWh"),
        "TOTWHINJ": ("export_energy", "MMTR.SupWh"), "TOTWHABS": ("import_energy", "MMTR.DmdWh"),
        "TOTVARHINJ": ("export_reactive_energy", "MMTR.SupVArh"),
        "TOTVARHABS": ("import_reactive_energy", "MMTR.DmdVArh"),
        "TOTVAHEXP": ("export_apparent_energy", None), "TOTVAHIMP": ("import_apparent_energy", None),
        "TOTVARHIMPQ1": ("import_reactive_energy_q1", None), "TOTVARHIMPQ2": ("import_reactive_energy_q2", None),
        "TOTVARHEXPQ3": ("export_reactive_energy_q3", None), "TOTVARHEXPQ4": ("export_reactive_energy_q4", None),
        "DCA": ("dc_current", "MMDC.Amp"), "DCV": ("dc_voltage", "MMDC.Vol"), "DCW": ("dc_power", "MMDC.Watt"),
        "TMPCAB": ("temperature_cabinet", None), "TMPSNK": ("temperature_heat_sink", None),
        "TMPTRNS": ("temperature_transformer", None), "TMPOT": ("temperature_other", None), "ST": ("state", None),
        "STVND": ("state_vendor", None), "EVT": ("events", None),
    }  # fmt: skip
    found = {name.upper(): what for name, what in found.items()}
    of_phase = {
        "A": ("current", "A"), "W": ("active_power", "W"), "VA": ("apparent_power", "VA"),
        "VAR": ("reactive_power", "VAr"), "PF": ("power_factor", "PF"), "V": ("voltage", "PhV"),
        "PHV": ("voltage", "PhV"),
    }  # fmt: skip
    for letter, number in _PHASES:
        for short, (quantity, name) in of_phase.items():
            what = (f"{quantity}_l{number}", f"MMXU.{name}.phs{letter}")
            found[f"{short}PH{letter}"] = found[f"{short}L{number}"] = what
        for total in [name for name in found if name.startswith("TOT") and not name[-1].isdigit()]:
            found.setdefault(f"{total}L{number}", (f"{found[total][0]}_l{number}", None))
            found.setdefault(f"{total}PH{letter}", (f"{found[total][0]}_l{number}", None))
        for quadrant in ("IMPQ1", "IMPQ2", "EXPQ3", "EXPQ4"):
            name = f"TOTVARH{quadrant}"
            found[f"{name}PH{letter}"] = (f"{found[name][0]}_l{number}", None)
    for letters, lines in _LINES:
        for name in (f"PPVPH{letters}", f"PHVPH{letters}", f"V{lines.upper().replace('_', '')}"):
            found[name] = (f"voltage_{lines}", f"MMXU.PPV.phs{letters}")
    return found


_QUANTITIES: Final = _quantities()
_WORDS: Final = {
    "SoC": "StateOfCharge", "SoH": "StateOfHealth", "DoD": "DepthOfDischarge", "DCA": "DcCurrent", "DCV": "DcVoltage",
    "DCWH": "DcEnergy", "DCW": "DcPower", "NCyc": "Cycles", "Tmp": "Temperature", "Evt": "Events", "St": "State",
    "DCSt": "State", "DCEvt": "Events", "IDStr": "Name", "A": "Current", "V": "Voltage", "W": "Power",
}  # fmt: skip

_SPELLINGS: Final = (("SoC", "Soc"), ("SoH", "Soh"), ("DoD", "Dod"), ("VAr", "Var"), ("VAh", "Vah"))
_BORDER: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def quantity(model: int, group: str, point: str) -> tuple[str, str | None]:
    """The name of SunSpec's `point` in a profile, and its proposed data object, if any. `group` is its model's name."""
    if model in AC_MODELS:
        return _QUANTITIES.get(point.upper(), (snake(point), None))
    spelt = _WORDS.get(point, point)
    return f"{snake(group)}_{snake(spelt)}", None


def snake(name: str) -> str:
    """`EvtVnd1` as `evt_vnd1`, `SoCMax` as `soc_max`, `lithium-ion` as `lithium_ion`."""
    for spelt, plain in _SPELLINGS:
        name = name.replace(spelt, plain)
    return re.sub(r"[^a-z0-9]+", "_", _BORDER.sub("_", name).lower()).strip("_")
