"""Measured values with everything that decides what they show: deadbands, references, ranges, limits."""

from typing import Any

from mapping.model import FC, AttributeType, BasicType, DataObjectType, DataSet, DataSetMember, EnumType
from tests.support import models

RANGE = EnumType("RangeKind", {"normal": 0, "high": 1, "low": 2, "high-high": 3, "low-low": 4})
LIMITS = ("hhLim", "hLim", "lLim", "llLim", "min", "max")


def analogue(name: str, fc: FC | None, leaf: str, **more: Any) -> AttributeType:
    """An AnalogueValue of one leaf, `f` or `i`."""
    basic = BasicType.FLOAT32 if leaf == "f" else BasicType.INT32
    return models.struct(name, fc, models.leaf(leaf, basic), **more)


def range_config(name: str, leaf: str = "f") -> AttributeType:
    """RangeConfig."""
    limits = [analogue(one, None, leaf) for one in LIMITS]
    return models.struct(name, FC.CF, *limits, models.leaf("limDb", BasicType.INT32U))


def measured(name: str, leaf: str = "f") -> DataObjectType:
    """MV with all of it; an `i` counts in steps of sVC.scaleFactor."""
    scaled = models.struct("sVC", FC.CF, models.leaf("scaleFactor", BasicType.FLOAT32))
    return models.data_object(
        name, "MV",
        analogue("instMag", FC.MX, leaf), analogue("mag", FC.MX, leaf, dchg=True),
        models.leaf("range", BasicType.ENUM, FC.MX, enum=RANGE, dchg=True), *models.quality_and_time(FC.MX),
        models.leaf("subEna", BasicType.BOOLEAN, FC.SV), analogue("subMag", FC.SV, leaf),
        models.leaf("subQ", BasicType.QUALITY, FC.SV),
        models.leaf("db", BasicType.INT32U, FC.CF), models.leaf("zeroDb", BasicType.INT32U, FC.CF),
        models.leaf("dbRef", BasicType.FLOAT32, FC.CF), models.leaf("zeroDbRef", BasicType.FLOAT32, FC.CF),
        range_config("rangeC", leaf), *([scaled] if leaf == "i" else []),
    )  # fmt: skip


def vector(name: str, count: int = 0, *, angles: bool = True) -> DataObjectType:
    """CMV with deadbands and ranges; without dbAng if not `angles`."""
    part = models.leaf("f", BasicType.FLOAT32)
    both = (models.struct("mag", None, part), models.struct("ang", None, part))
    return models.data_object(
        name, "CMV",
        models.struct("instCVal", FC.MX, *both), models.struct("cVal", FC.MX, *both, dchg=True),
        models.leaf("range", BasicType.ENUM, FC.MX, enum=RANGE, dchg=True),
        models.leaf("rangeAng", BasicType.ENUM, FC.MX, enum=RANGE, dchg=True), *models.quality_and_time(FC.MX),
        models.leaf("db", BasicType.INT32U, FC.CF), range_config("rangeC"), range_config("rangeAngC"),
        *([models.leaf("dbAng", BasicType.INT32U, FC.CF)] if angles else []),
        count=count,
    )  # fmt: skip


def own_deadband(name: str) -> DataObjectType:
    """MV with a range, whose deadband only the program knows: no db."""
    return models.data_object(
        name, "MV", analogue("instMag", FC.MX, "f"), analogue("mag", FC.MX, "f", dchg=True),
        models.leaf("range", BasicType.ENUM, FC.MX, enum=RANGE, dchg=True), *models.quality_and_time(FC.MX),
        range_config("rangeC"),
    )  # fmt: skip


ALL = DataSet("all", (DataSetMember("DEMOLD0", "MMXU1$MX$TotW"), DataSetMember("DEMOLD0", "MMXU1$MX$PhV$phsA")))
