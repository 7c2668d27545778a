"""Small engineered models for tests of the server, made without any SCL file."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from mapping.model import (
    FC,
    AttributeType,
    BasicType,
    DataObjectType,
    DataSet,
    DataSetMember,
    Edition,
    EnumType,
    GooseControl,
    LogControl,
    LogicalDevice,
    LogicalNode,
    LogicalNodeType,
    Override,
    ReportControl,
    ReportSettings,
    SampledValueControl,
    Scalar,
    Server,
    Services,
    SettingControl,
)

BEHAVIOUR = EnumType("BehaviourModeKind", {"on": 1, "blocked": 2, "test": 3, "test/blocked": 4, "off": 5})
HEALTH = EnumType("HealthKind", {"Ok": 1, "Warning": 2, "Alarm": 3})
CTL_MODEL = EnumType("CtlModelKind", {"status-only": 0, "direct-with-normal-security": 1})
SI_UNIT = EnumType("SIUnitKind", {"none": 1, "V": 29, "W": 38})
MULTIPLIER = EnumType("MultiplierKind", {"milli": -3, "none": 0, "kilo": 3})


def leaf(name: str, basic: BasicType, fc: FC | None = None, **more: object) -> AttributeType:
    """A leaf DA (with `fc`) or BDA."""
    return AttributeType(name, basic, fc, **more)  # type: ignore[arg-type]


def struct(name: str, fc: FC | None, *members: AttributeType, **more: object) -> AttributeType:
    """A structured DA or BDA."""
    return AttributeType(name, BasicType.STRUCT, fc, members=members, **more)  # type: ignore[arg-type]


def data_object(name: str, cdc: str, *members: AttributeType | DataObjectType, count: int = 0) -> DataObjectType:
    """A DO or SDO."""
    return DataObjectType(name, f"{cdc}_{name}", cdc, members, count)


def quality_and_time(fc: FC) -> tuple[AttributeType, AttributeType]:
    """`q` and `t`."""
    return leaf("q", BasicType.QUALITY, fc, qchg=True), leaf("t", BasicType.TIMESTAMP, fc)


def measured_value(name: str) -> DataObjectType:
    """MV: mag.f, q, t, units."""
    units = (leaf("SIUnit", BasicType.ENUM, enum=SI_UNIT), leaf("multiplier", BasicType.ENUM, enum=MULTIPLIER))
    return data_object(
        name,
        "MV",
        struct("mag", FC.MX, leaf("f", BasicType.FLOAT32), dchg=True),
        *quality_and_time(FC.MX),
        struct("units", FC.CF, *units),
        leaf("db", BasicType.INT32U, FC.CF, dupd=True),
        leaf("d", BasicType.VIS_STRING_255, FC.DC),
    )


def complex_value(name: str, count: int = 0) -> DataObjectType:
    """CMV: cVal.mag.f, cVal.ang.f, q, t."""
    part = leaf("f", BasicType.FLOAT32)
    return data_object(
        name,
        "CMV",
        struct("cVal", FC.MX, struct("mag", None, part), struct("ang", None, part), dchg=True),
        *quality_and_time(FC.MX),
        count=count,
    )


def status(name: str, basic: BasicType = BasicType.BOOLEAN, enum: EnumType | None = None) -> DataObjectType:
    """SPS, ENS or DPS: stVal, q, t."""
    return data_object(
        name, "SPS", leaf("stVal", basic, FC.ST, enum=enum, dchg=True), *quality_and_time(FC.ST)
    )  # fmt: skip


def controllable(name: str) -> DataObjectType:
    """SPC with direct control: Oper stands under CO and is no leaf."""
    origin = struct("origin", None, leaf("orCat", BasicType.ENUM), leaf("orIdent", BasicType.OCTET_64))
    oper = struct(
        "Oper",
        FC.CO,
        leaf("ctlVal", BasicType.BOOLEAN),
        origin,
        leaf("ctlNum", BasicType.INT8U),
        leaf("T", BasicType.TIMESTAMP),
        leaf("Test", BasicType.BOOLEAN),
        leaf("Check", BasicType.CHECK),
    )
    model = leaf("ctlModel", BasicType.ENUM, FC.CF, enum=CTL_MODEL, values={0: 1})
    return data_object(name, "SPC", *status(name).members, oper, model)


def origin(fc: FC | None) -> AttributeType:
    """Originator of a control: orCat and orIdent."""
    return struct("origin", fc, leaf("orCat", BasicType.INT8), leaf("orIdent", BasicType.OCTET_64))


def of_class(cdc: str, ctl_model: int = 1) -> DataObjectType:
    """A data object `cdc` with Oper and SBOw, of one of the eight classes that can be controlled; named as its class."""
    position = struct("valWTr", FC.ST, leaf("posVal", BasicType.INT8), leaf("transInd", BasicType.BOOLEAN), dchg=True)
    measured = struct("mxVal", FC.MX, leaf("f", BasicType.FLOAT32), dchg=True)
    values = {
        "SPC": (leaf("ctlVal", BasicType.BOOLEAN), leaf("stVal", BasicType.BOOLEAN, FC.ST, dchg=True)),
        "DPC": (leaf("ctlVal", BasicType.BOOLEAN), leaf("stVal", BasicType.DBPOS, FC.ST, dchg=True)),
        "INC": (leaf("ctlVal", BasicType.INT32), leaf("stVal", BasicType.INT32, FC.ST, dchg=True)),
        "ENC": (
            leaf("ctlVal", BasicType.ENUM, enum=BEHAVIOUR),
            leaf("stVal", BasicType.ENUM, FC.ST, enum=BEHAVIOUR, dchg=True),
        ),
        "BSC": (leaf("ctlVal", BasicType.TCMD), position),
        "ISC": (leaf("ctlVal", BasicType.INT8), position),
        "APC": (struct("ctlVal", None, leaf("f", BasicType.FLOAT32)), measured),
        "BAC": (leaf("ctlVal", BasicType.TCMD), measured),
    }
    value, shown = values[cdc]
    number, stamp, test = (
        leaf("ctlNum", BasicType.INT8U), leaf("T", BasicType.TIMESTAMP), leaf("Test", BasicType.BOOLEAN),
    )  # fmt: skip
    asked = (value, origin(None), number, stamp, test, leaf("Check", BasicType.CHECK))
    fc = FC.MX if cdc in ("APC", "BAC") else FC.ST
    return data_object(
        cdc, cdc, shown, *quality_and_time(fc), origin(fc), leaf("ctlNum", BasicType.INT8U, fc),
        leaf("stSeld", BasicType.BOOLEAN, fc, dchg=True),
        struct("SBOw", FC.CO, *asked), struct("Oper", FC.CO, *asked), struct("Cancel", FC.CO, *asked[:-1]),
        leaf("ctlModel", BasicType.ENUM, FC.CF, values={0: ctl_model}),
    )  # fmt: skip


def setting(name: str, values: Mapping[int, Scalar]) -> DataObjectType:
    """ASG in setting groups: setMag.f, written once in the file, as SE."""
    return data_object(name, "ASG", struct("setMag", FC.SE, leaf("f", BasicType.FLOAT32, values=values)))


def every_type() -> DataObjectType:
    """One leaf of each basic type but Struct."""
    members = [leaf(basic.value, basic, FC.ST) for basic in BasicType if basic is not BasicType.STRUCT]
    return data_object("All", "ENS", *members)


MODE = data_object("Mod", "ENC", *status("Mod", BasicType.ENUM, BEHAVIOUR).members)
LLN0 = LogicalNodeType(
    "LLN0", "LLN0", (MODE, status("Health", BasicType.ENUM, HEALTH), setting("StrVal", {1: 1.5, 2: 2.5}))
)
MMXU = LogicalNodeType(
    "MMXU",
    "MMXU",
    (
        measured_value("TotW"),
        data_object("PhV", "WYE", complex_value("phsA"), complex_value("phsB")),
        data_object("HA", "HMV", complex_value("phsAHar", count=4)),
    ),
)
GGIO = LogicalNodeType("GGIO", "GGIO", (controllable("SPCSO1"), status("Ind1"), measured_value("AnIn1"), every_type()))

MEASURED = DataSet(
    "measured",
    (
        DataSetMember("DEMOLD0", "MMXU1$MX$TotW"),
        DataSetMember("DEMOLD0", "MMXU1$MX$TotW$mag$f"),
        DataSetMember("DEMOLD0", "MMXU1$MX$HA$phsAHar", 2, "cVal$mag"),
        DataSetMember("DEMOLD0", "GGIO1$ST"),
    ),
)


def report(name: str, *, buffered: bool, instances: int = 2, indexed: bool = True) -> ReportControl:
    """A report control block of the data set `measured`."""
    return ReportControl(name, buffered, indexed, instances, None, "measured", 7, 100, 5000, 0b011001, 0b0111110110)


def server(
    *nodes: LogicalNode, edition: Edition = Edition.ED2, services: Services | None = None, inst: str = "LD0"
) -> Server:
    """IED `DEMO` with one LD."""
    device = LogicalDevice(inst, f"DEMO{inst}", nodes)
    return Server("DEMO", "AP1", edition, (device,), Services() if services is None else services)


def node(ln_type: LogicalNodeType, inst: str = "1", values: Mapping[str, Scalar] | None = None) -> LogicalNode:
    """An LN of that type; `values` are overrides by path."""
    overrides = {path: Override({0: value}) for path, value in (values or {}).items()}
    return LogicalNode(f"{ln_type.ln_class}{inst}", ln_type.ln_class, inst, "", ln_type, overrides)


def lln0(
    *,
    data_sets: Iterable[DataSet] = (MEASURED,),
    reports: Iterable[ReportControl] = (report("events", buffered=False), report("history", buffered=True)),
    active_group: int = 2,
    goose: Mapping[str, Any] = MappingProxyType({}),
) -> LogicalNode:
    """An LLN0 with one of each kind of control block; `goose` is what its GoCB has otherwise."""
    fast = GooseControl("fast", "demo/fast", "measured", 3, mac_address=bytes.fromhex("010ccd010001"), appid=1)
    return LogicalNode(
        "LLN0",
        "LLN0",
        "",
        "",
        LLN0,
        data_sets=tuple(data_sets),
        reports=tuple(reports),
        logs=(LogControl("logged", "measured", "DEMOLD0", "LLN0$LD0", True, 0b010000, 0),),
        log_names=("LD0",),
        setting_control=SettingControl(3, active_group, None),
        gooses=(replace(fast, **goose),),
        sampled_values=(SampledValueControl("waves", "demo/waves", None, 1, 80, 1, multicast=True),),
    )


def demo(edition: Edition = Edition.ED2, settings: ReportSettings | None = None) -> Server:
    """LLN0, two MMXU of one type and a GGIO with every basic type."""
    services = Services() if settings is None else Services(declared=True, report_settings=settings)
    nodes = (lln0(), node(MMXU, "1", {"TotW.mag.f": 42.5}), node(MMXU, "2"), node(GGIO, "1"))
    return server(*nodes, edition=edition, services=services)
