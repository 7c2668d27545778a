"""The engineered model: an IED as its SCL file describes it (IEC 61850-6, 61850-7-2), free of XML.

Types are shared, instances are thin: a logical node points to its LogicalNodeType and keeps only what the file says
of this instance (`overrides`). So a file with a hundred thousand attributes costs a few thousand objects.

    Server ── LogicalDevice ── LogicalNode ── type ─► LogicalNodeType ── DataObjectType ── AttributeType ── ...
                                   │  overrides: "TotW.units.SIUnit" -> Override
                                   └─ data sets, report / log / setting / GOOSE / SV control blocks

Everything is frozen; names keep the case that the file prints.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

Scalar = bool | int | float | str | bytes
"""A leaf's value: bool, int (also enumerations and bit strings, MSB first), float, str, or bytes (octet strings)."""


class FC(str, Enum):
    """Functional constraints (IEC 61850-7-2), in the order in which an LN shows them."""

    ST = "ST"
    MX = "MX"
    SP = "SP"
    SV = "SV"
    CF = "CF"
    DC = "DC"
    SG = "SG"
    SE = "SE"
    SR = "SR"
    OR = "OR"
    BL = "BL"
    EX = "EX"
    CO = "CO"
    BR = "BR"
    RP = "RP"
    LG = "LG"
    GO = "GO"
    MS = "MS"
    US = "US"


class BasicType(str, Enum):
    """bType of a DA or BDA (IEC 61850-6, tBasicTypeEnum) as SCL spells it."""

    BOOLEAN = "BOOLEAN"
    INT8 = "INT8"
    INT16 = "INT16"
    INT24 = "INT24"
    INT32 = "INT32"
    INT64 = "INT64"
    INT128 = "INT128"
    INT8U = "INT8U"
    INT16U = "INT16U"
    INT24U = "INT24U"
    INT32U = "INT32U"
    FLOAT32 = "FLOAT32"
    FLOAT64 = "FLOAT64"
    ENUM = "Enum"
    DBPOS = "Dbpos"
    TCMD = "Tcmd"
    CHECK = "Check"
    QUALITY = "Quality"
    TIMESTAMP = "Timestamp"
    VIS_STRING_32 = "VisString32"
    VIS_STRING_64 = "VisString64"
    VIS_STRING_65 = "VisString65"
    VIS_STRING_129 = "VisString129"
    VIS_STRING_255 = "VisString255"
    OCTET_64 = "Octet64"
    UNICODE_255 = "Unicode255"
    OBJ_REF = "ObjRef"
    CURRENCY = "Currency"
    ENTRY_ID = "EntryID"
    ENTRY_TIME = "EntryTime"
    PHY_COM_ADDR = "PhyComAddr"
    TRG_OPS = "TrgOps"
    OPT_FLDS = "OptFlds"
    SV_OPT_FLDS = "SvOptFlds"
    LOG_OPT_FLDS = "LogOptFlds"
    STRUCT = "Struct"


@dataclass(frozen=True, slots=True)
class EnumType:
    """An EnumType: its literals in the file's order."""

    id: str
    ordinals: Mapping[str, int]

    def first(self) -> int:
        """The ordinal of the first member: the default where the file gives no Val; 0 for an empty type."""
        return next(iter(self.ordinals.values()), 0)

    def literal(self, ordinal: int) -> str | None:
        """The name of `ordinal`, None if the type has no such member."""
        return next((name for name, value in self.ordinals.items() if value == ordinal), None)


@dataclass(frozen=True, slots=True)
class AttributeType:
    """A DA or BDA as its type declares it. `count` > 0 makes it an array of that many."""

    name: str
    basic: BasicType
    fc: FC | None = None  # of a DA; None for a BDA, which stands under its DA's
    enum: EnumType | None = None
    members: tuple["AttributeType", ...] = ()  # of a Struct, in order
    count: int = 0
    values: Mapping[int, Scalar] = field(default_factory=dict)  # setting group -> Val; 0 where none is named
    dchg: bool = False
    qchg: bool = False
    dupd: bool = False
    val_kind: str = "Set"  # Set, Conf, RO, Spec
    val_import: bool = False
    line: int = 0


@dataclass(frozen=True, slots=True)
class DataObjectType:
    """A DO or SDO: its CDC and its members (AttributeType or DataObjectType) in the file's order."""

    name: str
    type_id: str
    cdc: str
    members: tuple["AttributeType | DataObjectType", ...]
    count: int = 0
    transient: bool = False
    line: int = 0


@dataclass(frozen=True, slots=True)
class LogicalNodeType:
    """An LNodeType: shared by every LN that names it."""

    id: str
    ln_class: str
    objects: tuple[DataObjectType, ...]
    line: int = 0


@dataclass(frozen=True, slots=True)
class Override:
    """A DAI: its values for one attribute of one LN; None where it has none."""

    values: Mapping[int, Scalar] = field(default_factory=dict)  # setting group -> Val; 0 where none is named
    val_kind: str | None = None
    val_import: bool | None = None
    line: int = 0


@dataclass(frozen=True, slots=True)
class DataSetMember:
    """An FCDA, resolved: the domain and the MMS item that it names, for instance `MMXU1$MX$TotW`.

    For an element of an array, `item` names the array, `index` the element (zero-based) and `component` what is
    taken of the element in MMS form (`cVal$mag`), None for the element whole.
    """

    domain: str
    item: str
    index: int | None = None
    component: str | None = None
    line: int = 0


@dataclass(frozen=True, slots=True)
class DataSet:
    """A configured data set; its MMS name is `LN$name` in the LD's domain."""

    name: str
    members: tuple[DataSetMember, ...]
    line: int = 0


@dataclass(frozen=True, slots=True)
class ClientLn:
    """A client to which an RCB instance is assigned beforehand (RptEnabled/ClientLN), in the file's order."""

    ied_name: str
    ap_ref: str
    ld_inst: str
    prefix: str
    ln_class: str
    ln_inst: str
    address: str | None = None  # its IP, if the Communication section tells it


@dataclass(frozen=True, slots=True)
class ReportControl:
    """A ReportControl. Bits are in wire order, bit 0 of the string as the most significant of 6 (TrgOps) or 10 (OptFlds)."""

    name: str
    buffered: bool
    indexed: bool
    instances: int  # RptEnabled@max, 1 where there is none
    rpt_id: str | None  # None: the RCB's own reference
    data_set: str | None  # name of a data set of the same LN
    conf_rev: int
    buf_time_ms: int
    intg_pd_ms: int
    trg_ops: int
    opt_flds: int
    clients: tuple[ClientLn, ...] = ()
    enabled: bool = False  # rptEna as the file has it
    line: int = 0

    def instance_names(self) -> tuple[str, ...]:
        """The names of its instances: `name01`, `name02`, ... if indexed, `name` alone if not."""
        if not self.indexed:
            return (self.name,)
        return tuple(f"{self.name}{number:02d}" for number in range(1, self.instances + 1))


@dataclass(frozen=True, slots=True)
class LogControl:
    """A LogControl: the data set that is logged, and the log."""

    name: str
    data_set: str | None
    log_domain: str
    log_name: str  # the MMS journal, `LN$name`
    log_ena: bool
    trg_ops: int
    intg_pd_ms: int
    reason_code: bool = True
    line: int = 0


@dataclass(frozen=True, slots=True)
class SettingControl:
    """The SGCB of an LD."""

    num_of_sgs: int
    act_sg: int
    resv_tms: int | None
    line: int = 0


@dataclass(frozen=True, slots=True)
class GooseControl:
    """A GSEControl, with what the Communication section says of its address."""

    name: str
    app_id: str
    data_set: str | None
    conf_rev: int
    needs_commissioning: bool = False
    fixed_offs: bool = False
    mac_address: bytes = b""
    appid: int = 0
    vlan_id: int = 0
    vlan_priority: int = 4
    min_time_ms: int = 0
    max_time_ms: int = 0
    line: int = 0


@dataclass(frozen=True, slots=True)
class SampledValueControl:
    """A SampledValueControl (MSVCB or USVCB), with its address."""

    name: str
    sv_id: str
    data_set: str | None
    conf_rev: int
    smp_rate: int
    no_asdu: int
    multicast: bool
    smp_mod: str = "SmpPerPeriod"
    opts: int = 0  # 5 bits, refreshTime first
    mac_address: bytes = b""
    appid: int = 0
    vlan_id: int = 0
    vlan_priority: int = 4
    line: int = 0


@dataclass(frozen=True, slots=True)
class LogicalNode:
    """An LN or LN0. `name` is prefix + lnClass + inst; `overrides` are keyed by dotted path, `HA.phsAHar(7).cVal.mag.f`."""

    name: str
    ln_class: str
    inst: str
    prefix: str
    type: LogicalNodeType
    overrides: Mapping[str, Override] = field(default_factory=dict)
    data_sets: tuple[DataSet, ...] = ()
    reports: tuple[ReportControl, ...] = ()
    logs: tuple[LogControl, ...] = ()
    log_names: tuple[str, ...] = ()
    setting_control: SettingControl | None = None
    gooses: tuple[GooseControl, ...] = ()
    sampled_values: tuple[SampledValueControl, ...] = ()
    line: int = 0


@dataclass(frozen=True, slots=True)
class LogicalDevice:
    """An LDevice. `name` is the MMS domain: ldName where given (functional naming), else IED name + inst."""

    inst: str
    name: str
    nodes: tuple[LogicalNode, ...]
    line: int = 0


class Setting(str, Enum):
    """The right to change an RCB or LCB attribute: nobody, the engineer or clients (ReportSettings, LogSettings)."""

    FIX = "Fix"
    CONF = "Conf"
    DYN = "Dyn"


@dataclass(frozen=True, slots=True)
class ReportSettings:
    """Services/ReportSettings; `resv_tms` and `owner` None where the file has no ReportSettings at all."""

    cb_name: Setting = Setting.FIX
    dat_set: Setting = Setting.DYN
    rpt_id: Setting = Setting.DYN
    opt_fields: Setting = Setting.DYN
    buf_time: Setting = Setting.DYN
    trg_ops: Setting = Setting.DYN
    intg_pd: Setting = Setting.DYN
    resv_tms: bool | None = None
    owner: bool | None = None


@dataclass(frozen=True, slots=True)
class LogSettings:
    """Services/LogSettings."""

    cb_name: Setting = Setting.FIX
    dat_set: Setting = Setting.DYN
    log_ena: Setting = Setting.DYN
    trg_ops: Setting = Setting.DYN
    intg_pd: Setting = Setting.DYN


@dataclass(frozen=True, slots=True)
class Services:
    """The capabilities that the file declares; a file without Services declares everything (`declared` False).

    A `max_...` of None is "no limit named". An AccessPoint's own Services replace the IED's.
    """

    declared: bool = False
    conf_data_set_max: int | None = None
    conf_data_set_max_attributes: int | None = None
    dyn_data_set: bool = True
    dyn_data_set_max: int | None = None
    dyn_data_set_max_attributes: int | None = None
    dyn_association_max: int | None = None
    report_settings: ReportSettings = ReportSettings()
    log_settings: LogSettings = LogSettings()
    conf_report_control_max: int | None = None
    sg_edit: bool = True
    conf_sg: bool = True
    sg_resv_tms: bool = False
    conf_sg_resv_tms: bool = False
    read_write: bool = True
    file_handling: bool = True
    log: bool = True
    time_activated: bool = True
    set_data_set_value: bool = True


@dataclass(frozen=True, slots=True)
class Address:
    """The address of an access point in the Communication section; selectors as octets, None where absent."""

    ip: str | None = None
    port: int | None = None
    tsel: bytes | None = None
    ssel: bytes | None = None
    psel: bytes | None = None
    ap_title: str | None = None
    ae_qualifier: int | None = None


class Edition(Enum):
    """The edition that decides which attributes control blocks have."""

    ED1 = 1
    ED2 = 2
    ED21 = 21


@dataclass(frozen=True, slots=True)
class Server:
    """One IED's server at one access point: all that its OS process serves."""

    ied_name: str
    access_point: str
    edition: Edition
    devices: tuple[LogicalDevice, ...]
    services: Services = Services()
    address: Address = Address()
    manufacturer: str = ""
    ied_type: str = ""
    config_version: str = ""
    revision: str = ""

    def nodes(self) -> Iterator[tuple[LogicalDevice, LogicalNode]]:
        """Every LN with its LD, in the file's order."""
        for ld in self.devices:
            for ln in ld.nodes:
                yield ld, ln


STRING_LIMITS: Final[Mapping[BasicType, int]] = {
    BasicType.VIS_STRING_32: 32,
    BasicType.VIS_STRING_64: 64,
    BasicType.VIS_STRING_65: 65,
    BasicType.VIS_STRING_129: 129,
    BasicType.VIS_STRING_255: 255,
    BasicType.OBJ_REF: 129,
    BasicType.CURRENCY: 3,
    BasicType.UNICODE_255: 255,
    BasicType.OCTET_64: 64,
}
"""Most characters (Unicode255, VisString...) or octets (Octet64) that a string type holds."""
