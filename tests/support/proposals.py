"""The data objects that profiles may propose (IEC 61850-7-4), and a model that has some of them."""

import re
from collections.abc import Iterable
from typing import Final

_WYE: Final = ("phsA", "phsB", "phsC", "neut")
_DEL: Final = ("phsAB", "phsBC", "phsCA")
OBJECTS: Final[dict[str, dict[str, str]]] = {
    "MMXU": {
        "TotW": "MV", "TotVAr": "MV", "TotVA": "MV", "TotPF": "MV", "Hz": "MV", "PhV": "WYE", "PPV": "DEL", "A": "WYE",
        "W": "WYE", "VAr": "WYE", "VA": "WYE", "PF": "WYE", "AvPhVPhs": "MV", "AvPPVPhs": "MV", "AvAPhs": "MV",
    },
    "MMTR": dict.fromkeys(("TotVAh", "TotWh", "TotVArh", "SupWh", "SupVArh", "DmdWh", "DmdVArh"), "BCR"),
    "MMDC": {"Watt": "MV", "Amp": "MV", "Vol": "MV"},
    "MHAI": {"ThdA": "WYE", "ThdPhV": "WYE", "ThdPPV": "DEL"},
    "MSTA": dict.fromkeys(("AvAmps", "MaxAmps", "AvVolts", "AvVA", "MaxVA", "AvW", "MaxW", "AvVAr", "MaxVAr"), "MV"),
    "MSQI": {"ImbV": "MV", "ImbA": "MV"},
    "STMP": {"Tmp": "MV"},
    "GGIO": {"Ind": "SPS", "SPCSO": "SPC", "AnIn": "MV"},
}  # fmt: skip
"""By LN class the data object and its CDC; those of GGIO carry a number."""


def _do_type(cdc: str, fc: str, value: str, more: str = "") -> str:
    common = f'<DA name="q" fc="{fc}" bType="Quality" qchg="true"/><DA name="t" fc="{fc}" bType="Timestamp"/>'
    return f'<DOType id="{cdc}" cdc="{cdc}"><DA fc="{fc}" dchg="true" {value}/>{common}{more}</DOType>'


_TEMPLATES: Final = (
    _do_type("MV", "MX", 'name="mag" bType="Struct" type="Value"')
    + _do_type("CMV", "MX", 'name="cVal" bType="Struct" type="Vector"')
    + _do_type("SPS", "ST", 'name="stVal" bType="BOOLEAN"')
    + _do_type(
        "SPC", "ST", 'name="stVal" bType="BOOLEAN"', '<DA name="ctlModel" fc="CF" bType="Enum" type="CtlModel"/>'
    )
    + _do_type("BCR", "ST", 'name="actVal" bType="INT64"', '<DA name="pulsQty" fc="CF" bType="FLOAT32"/>')
    + '<DAType id="Value"><BDA name="f" bType="FLOAT32"/></DAType>'
    '<DAType id="Vector"><BDA name="mag" bType="Struct" type="Value"/></DAType>'
    '<EnumType id="CtlModel"><EnumVal ord="0">status-only</EnumVal></EnumType>'
)


def cdc(proposal: str) -> str | None:
    """The CDC of what is proposed, MV, BCR, SPS, SPC or CMV for a phase; None if the standard has no such object."""
    ln_class, _, path = proposal.partition(".")
    name, _, phase = path.partition(".")
    numbered = re.fullmatch(r"([A-Za-z]+)[1-9][0-9]*", name) if ln_class == "GGIO" else None
    kind = OBJECTS.get(ln_class, {}).get(numbered.group(1) if numbered else name)
    if (ln_class == "GGIO") != (numbered is not None):
        return None
    if phase:
        return "CMV" if phase in {"WYE": _WYE, "DEL": _DEL}.get(kind or "", ()) else None
    return None if kind in ("WYE", "DEL") else kind


def classes(proposals: Iterable[str]) -> list[str]:
    """The LN classes of `proposals`, each once."""
    return sorted({one.partition(".")[0] for one in proposals})


def references(proposals: Iterable[str]) -> set[str]:
    """The data objects of `icd(proposals)` that stand for them."""
    return {f"LD0/{one.partition('.')[0]}1.{one.partition('.')[2]}" for one in proposals}


def icd(proposals: Iterable[str]) -> str:
    """A model with one LN of each class, which has what is proposed for it and nothing else, and GGIO9.Ind1."""
    groups: dict[str, dict[str, list[str]]] = {}
    for one in proposals:
        ln_class, _, path = one.partition(".")
        name, _, phase = path.partition(".")
        groups.setdefault(ln_class, {}).setdefault(name, []).extend([phase] if phase else [])
    nodes, types = [], []
    for ln_class, objects in groups.items():
        nodes.append(f'<LN lnClass="{ln_class}" inst="1" lnType="{ln_class}"/>')
        inner = ""
        for name, phases in objects.items():
            type_id = f"{ln_class}-{name}" if phases else cdc(f"{ln_class}.{name}")
            inner += f'<DO name="{name}" type="{type_id}"/>'
            if phases:
                parts = "".join(f'<SDO name="{phase}" type="CMV"/>' for phase in phases)
                types.append(f'<DOType id="{type_id}" cdc="{OBJECTS[ln_class][name]}">{parts}</DOType>')
        types.insert(0, f'<LNodeType id="{ln_class}" lnClass="{ln_class}">{inner}</LNodeType>')
    own = '<LNodeType id="LLN0" lnClass="LLN0"/><LNodeType id="Online" lnClass="GGIO"><DO name="Ind1" type="SPS"/></LNodeType>'
    ordered = sorted(types, key=lambda one: not one.startswith("<LNodeType"))
    return (
        '<SCL xmlns="http://www.iec.ch/61850/2003/SCL" version="2007" revision="B" release="4"><Header id="p"/>'
        '<IED name="IO"><AccessPoint name="AP1"><Server><Authentication none="true"/><LDevice inst="LD0">'
        f'<LN0 lnClass="LLN0" inst="" lnType="LLN0"/>{"".join(nodes)}<LN lnClass="GGIO" inst="9" lnType="Online"/>'
        f"</LDevice></Server></AccessPoint></IED><DataTypeTemplates>{own}{''.join(ordered)}{_TEMPLATES}</DataTypeTemplates></SCL>"
    )
