"""The shape of map.yaml: data objects of one IED from points of devices."""

from typing import Annotated, Any

from pydantic import Field, model_validator

from mapping.schema.fields import Number, Period, Plain, Strict


class Command(Strict):
    """The command of a data object: the point that is written, its limits and its proof."""

    to: Annotated[str, Field(description="the point that is written")]
    timeout: Annotated[Period | None, Field(description="until it is written and proven")] = None
    proof: Annotated[str | None, Field(description="the point that shows it is done, where `to` does not")] = None
    proof_timeout: Annotated[Period | None, Field(description="how long `proof` may take; default `timeout`")] = None
    pulse: Annotated[Period | None, Field(description="write true, and false again after so long")] = None
    off: Annotated[str | None, Field(description="the point that is set for off (or lower) instead of `to`")] = None
    min: Annotated[Number | None, Field(description="least value, in the object's unit")] = None
    max: Annotated[Number | None, Field(description="largest value")] = None
    allow_if: Annotated[str | None, Field(description="expression over points that must hold")] = None
    one_of: Annotated[
        str | None, Field(description="a group of rows: one of them at a time is selected or operated")
    ] = None


class Row(Strict):
    """The source of a data object, and the target of its commands. `feeder1.voltage_l1` alone is short for `{from: ...}`."""

    source: Annotated[str | None, Field(alias="from", description="device.point, or a device for a whole LN")] = None
    constant: Plain | None = None
    deadband: Annotated[str | int | float | None, Field(description="least change: `50 W`, `0.5 %` or `0.2`")] = None
    values: Annotated[dict[str, Plain], Field(description="what each point value becomes")] = {}
    scale: Annotated[Number, Field(description="after the profile's; -1 turns a direction round")] = 1.0
    swap: Annotated[bool, Field(description="whole LN: exchange Sup and Dmd, negate powers")] = False
    command: Command | None = None

    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: Any) -> Any:
        if isinstance(given, str):
            return {"from": given}
        if isinstance(given, dict) and isinstance(given.get("command"), str):
            return given | {"command": {"to": given["command"]}}
        return given

    @model_validator(mode="after")
    def _something(self) -> "Row":
        if self.source is not None and self.constant is not None:
            raise ValueError("both `from` and `constant`, expected one of them")
        if self.source is None and self.constant is None and self.command is None:
            raise ValueError("neither `from`, `constant` nor `command`: the row says nothing")
        if not self.scale:
            raise ValueError("scale 0 would make every value the same")
        return self


class Map(Strict):
    """The mapping of one IED: data objects of the SCL file from points of devices."""

    points: dict[str, Row]
    unmapped: Annotated[
        list[str], Field(description="process data that is left unfed on purpose; it reads invalid")
    ] = []
