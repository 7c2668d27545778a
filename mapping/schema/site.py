"""The shape of site.yaml: one gateway, its IEDs, its lines and the devices on them.

Every model is closed and frozen; units are said; a frequent mistake is answered in the description of its key.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from mapping.schema import addresses
from mapping.schema.fields import Milliseconds, Name, Period, Permission, Strict
from mapping.schema.profile import DeviceKeys, Point


class Fallback(Strict):
    """The second path to a device."""

    line: str
    unit: Annotated[int | None, Field(ge=0, le=255, description="on that line; by default as on the first")] = None


class Device(DeviceKeys):
    """One device of a site."""

    line: str
    unit: Annotated[int, Field(ge=0, le=255)] = 1
    profile: str | None = None
    fallback: Annotated[
        Fallback | None, Field(description="a second path, for as long as the device is silent on its line")
    ] = None
    points: Annotated[
        dict[Name, Point | None], Field(description="beside the profile's, or in their place; null takes one away")
    ] = {}
    address: Annotated[
        str | None,
        Field(
            pattern=r"^[0-9A-Za-z ]{1,32}$",
            description="a meter that is read out: its own address, where a line has several",
        ),
    ] = None


class Tls(Strict):
    """TLS of an IED's port, mutual."""

    cert: str
    key: str
    ca: str
    listen: Annotated[str, AfterValidator(addresses.endpoint)] = "0.0.0.0:3782"
    crl: Annotated[str | None, Field(description="certificates that are revoked")] = None
    peers: Annotated[
        list[Annotated[str, AfterValidator(addresses.peer)]],
        Field(description="sha256:HEX or CN=NAME; empty: any under the CA"),
    ] = []


class Security(Strict):
    """The peers that may associate, and how they prove it."""

    password_file: str | None = None
    password_env: str | None = None
    tls: Tls | None = None
    allow: Annotated[
        list[Annotated[str, AfterValidator(addresses.network)]], Field(description="addresses or networks; empty: any")
    ] = []

    @model_validator(mode="after")
    def _one_password(self) -> "Security":
        if self.password_file is not None and self.password_env is not None:
            raise ValueError("both `password_file` and `password_env`, expected one of them")
        return self


class ReportBuffer(Strict):
    """The limits of the buffer of each buffered report control block."""

    octets: Annotated[int, Field(ge=16_384, le=1 << 30)] = 1 << 20
    age: Annotated[Milliseconds, Field(description="older entries go")] = 30 * 24 * 3600 * 1000


class Files(Strict):
    """The files that clients may fetch, and change. `files: DIR` alone is short for `{folder: DIR}`."""

    folder: Annotated[str, Field(description="beside site.yaml; it has to be there")]
    delete: Annotated[Permission, Field(description="clients may delete files")] = "deny"
    rename: Annotated[Permission, Field(description="clients may rename files")] = "deny"
    obtain: Annotated[
        Permission, Field(description="clients may put files there; over old ones with `delete: allow`")
    ] = "deny"

    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: Any) -> Any:
        return {"folder": given} if isinstance(given, str) else given


class Ied(Strict):
    """One IED: its model, its mapping, its port."""

    scl: str
    map: str
    access_point: str | None = None
    listen: Annotated[str, AfterValidator(addresses.listen), Field(description="host:port, or none for TLS alone")] = (
        "0.0.0.0:102"
    )
    max_clients: Annotated[int | None, Field(ge=1, le=1024)] = None
    writes: dict[Literal["SP", "SV", "SE", "BL", "CF", "DC"], Permission] = {}
    security: Security = Security()
    report_buffer: ReportBuffer = ReportBuffer()
    files: Annotated[
        Files | None,
        Field(description="what clients may fetch, with the audit log and the event export; without it nothing"),
    ] = None

    @model_validator(mode="after")
    def _listens(self) -> "Ied":
        if self.listen == "none" and self.security.tls is None:
            raise ValueError("`listen: none` without `tls`: nobody could connect")
        return self


class Clock(Strict):
    """The source of this host's clock quality: its kernel, or the engineer by `assume-synchronized`."""

    source: Literal["kernel", "assume-synchronized"] = "kernel"
    accuracy: Annotated[Period | None, Field(description="of a clock that is assumed synchronized; default 1ms")] = None

    @model_validator(mode="after")
    def _who_says(self) -> "Clock":
        if self.accuracy is not None and self.source == "kernel":
            raise ValueError("`accuracy` is for `source: assume-synchronized`: the kernel knows its own")
        return self

    @property
    def assumed_error_ns(self) -> int | None:
        """The most that the clock is off; None if the kernel is to say."""
        return None if self.source == "kernel" else (self.accuracy or 1) * 1_000_000


class Site(Strict):
    """One gateway: its IEDs, its lines, the devices on them."""

    site: str
    ieds: dict[Name, Ied]
    lines: Annotated[dict[Name, dict[str, Any]], Field(description="by name: protocol, and that protocol's keys")]
    devices: dict[Name, Device]
    clock: Clock = Clock()
