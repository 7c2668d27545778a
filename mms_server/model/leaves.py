"""Wire type and default value of each basic type of SCL (IEC 61850-8-1, mapping of the common data attribute types)."""

from typing import Final

from bus.quality import UtcTime
from mapping.model import STRING_LIMITS, AttributeType, BasicType, EnumType, Scalar
from mms_server.mms import data
from mms_server.mms.data import (
    BinaryTime,
    BitString,
    Boolean,
    Enumeration,
    Float32,
    Float64,
    Integer,
    Kind,
    MmsString,
    OctetString,
    Unsigned,
    UtcTimestamp,
    VisibleString,
)

BOOLEAN: Final = Boolean()
INT8: Final = Integer(8)
INT16: Final = Integer(16)
INT32: Final = Integer(32)
INT64: Final = Integer(64)
INT8U: Final = Unsigned(8)
INT16U: Final = Unsigned(16)
INT32U: Final = Unsigned(32)
QUALITY: Final = BitString(13, varying=True)
TIMESTAMP: Final = UtcTimestamp()
REFERENCE: Final = VisibleString(129)

_PLAIN: Final[dict[BasicType, Kind]] = {
    BasicType.BOOLEAN: BOOLEAN,
    BasicType.INT8: INT8,
    BasicType.INT16: INT16,
    BasicType.INT24: Integer(24),
    BasicType.INT32: INT32,
    BasicType.INT64: INT64,
    BasicType.INT128: Integer(128),
    BasicType.INT8U: INT8U,
    BasicType.INT16U: INT16U,
    BasicType.INT24U: Unsigned(24),
    BasicType.INT32U: INT32U,
    BasicType.FLOAT32: Float32(),
    BasicType.FLOAT64: Float64(),
    BasicType.DBPOS: BitString(2),
    BasicType.TCMD: BitString(2),
    BasicType.CHECK: BitString(2, varying=True),
    BasicType.QUALITY: QUALITY,
    BasicType.TIMESTAMP: TIMESTAMP,
    BasicType.OCTET_64: OctetString(64),
    BasicType.UNICODE_255: MmsString(255),
    BasicType.ENTRY_ID: OctetString(8, fixed=True),
    BasicType.ENTRY_TIME: BinaryTime(),
    BasicType.TRG_OPS: BitString(6, varying=True),
    BasicType.OPT_FLDS: BitString(10, varying=True),
    BasicType.SV_OPT_FLDS: BitString(5, varying=True),
    BasicType.LOG_OPT_FLDS: BitString(1, varying=True),
}

_STATES: Final = {"Mod": 1, "Beh": 1, "Health": 1, "PhyHealth": 1}
_UNITS: Final = {"SIUnit": 1, "multiplier": 0}
"""Enumerations whose first member is not what a file without `Val` means: on, Ok; dimensionless, no power of ten."""


def kind_of(attribute: AttributeType) -> Kind:
    """The wire type of a leaf attribute."""
    if attribute.basic is BasicType.ENUM:
        return _enumerated(attribute.enum)
    plain = _PLAIN.get(attribute.basic)
    return VisibleString(STRING_LIMITS[attribute.basic]) if plain is None else plain


def _enumerated(enum: EnumType | None) -> Kind:
    """INT8 as the standard has it; wider where a file's ordinals need it."""
    ordinals = frozenset(enum.ordinals.values() if enum else ())
    fitting = (kind for kind in (INT8, INT16, INT32) if all(kind.holds(one) for one in ordinals))
    return Enumeration(next(fitting, INT64).bits, ordinals)


def initial(kind: Kind, value: Scalar) -> data.Scalar:
    """`value` of an SCL file as the cache keeps it; one that does not fit becomes the nearest that does."""
    match kind:
        case UtcTimestamp():
            return UtcTime(int(value), 0)
        case VisibleString(characters) | MmsString(characters):
            return kind.check(str(value)[:characters])
        case Integer(bits):
            return min(max(int(value), -1 << bits - 1), (1 << bits - 1) - 1)
        case Unsigned(bits):
            return min(max(int(value), 0), (1 << bits) - 1)
        case _:
            return kind.check(value)


def default_of(attribute: AttributeType, data_object: str) -> Scalar:
    """The value of a leaf for which the file gives none; `data_object` is the name of the DO (or SDO) above it."""
    basic = attribute.basic
    if basic is BasicType.ENUM:
        granted = _STATES.get(data_object) if attribute.name == "stVal" else _UNITS.get(attribute.name)
        first = attribute.enum.first() if attribute.enum else 0
        return first if granted is None else granted
    kind = kind_of(attribute)
    if isinstance(kind, VisibleString | MmsString):
        return ""
    if isinstance(kind, OctetString):
        return bytes(kind.octets) if kind.fixed else b""
    if isinstance(kind, Float32 | Float64):
        return 0.0
    return False if kind is BOOLEAN else 0
