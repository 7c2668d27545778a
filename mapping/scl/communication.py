"""Communication: the addresses that a file gives an access point and its GOOSE and SV control blocks."""

from dataclasses import dataclass, field

from mapping.model import Address
from mapping.scl.document import Document, Element


@dataclass(frozen=True, slots=True)
class Multicast:
    """The destination of a GOOSE or SV control block."""

    mac_address: bytes = b""
    appid: int = 0
    vlan_id: int = 0
    vlan_priority: int = 4
    min_time_ms: int = 0
    max_time_ms: int = 0


@dataclass(frozen=True, slots=True)
class Addresses:
    """One ConnectedAP: its own address, and those of its control blocks by (ldInst, cbName)."""

    own: Address = field(default_factory=Address)
    blocks: dict[tuple[str, str], Multicast] = field(default_factory=dict)


def read_addresses(document: Document, ied: str, access_point: str) -> Addresses:
    """The addresses of one access point in the Communication section; empty if there are none."""
    for connected in _connected(document):
        if connected.get("iedName") == ied and connected.get("apName") == access_point:
            kids = document.kids(connected, "GSE", "SMV")
            blocks = {(one.get("ldInst", ""), one.get("cbName", "")): _multicast(document, one) for one in kids}
            return Addresses(_address(_parts(document, connected)), blocks)
    return Addresses()


def ip_of(document: Document, ied: str, access_point: str) -> str | None:
    """The IP address of any access point of the file."""
    for connected in _connected(document):
        if connected.get("iedName") == ied and (not access_point or connected.get("apName") == access_point):
            return _parts(document, connected).get("IP")
    return None


def _connected(document: Document) -> list[Element]:
    section = document.kid(document.root, "Communication")
    networks = () if section is None else document.kids(section, "SubNetwork")
    return [connected for network in networks for connected in document.kids(network, "ConnectedAP")]


def _parts(document: Document, element: Element) -> dict[str, str]:
    address = document.kid(element, "Address")
    if address is None:
        return {}
    return {part.get("type", ""): (part.text or "").strip() for part in document.kids(address, "P")}


def _address(parts: dict[str, str]) -> Address:
    return Address(
        ip=parts.get("IP"),
        port=_decimal(parts.get("MMS-Port"), None),
        tsel=_hexadecimal(parts.get("OSI-TSEL")),
        ssel=_hexadecimal(parts.get("OSI-SSEL")),
        psel=_hexadecimal(parts.get("OSI-PSEL")),
        ap_title=parts.get("OSI-AP-Title"),
        ae_qualifier=_decimal(parts.get("OSI-AE-Qualifier"), None),
    )


def _multicast(document: Document, element: Element) -> Multicast:
    parts = _parts(document, element)
    return Multicast(
        mac_address=_hexadecimal(parts.get("MAC-Address", "").replace("-", "").replace(":", "")) or b"",
        appid=_base16(parts.get("APPID")),
        vlan_id=_base16(parts.get("VLAN-ID")),
        vlan_priority=_decimal(parts.get("VLAN-PRIORITY"), 4) or 0,
        min_time_ms=_time(document.kid(element, "MinTime")),
        max_time_ms=_time(document.kid(element, "MaxTime")),
    )


def _hexadecimal(text: str | None) -> bytes | None:
    try:
        return None if text is None else bytes.fromhex(text)
    except ValueError:
        return None  # an address that nobody could dial; the server itself does not need it


def _base16(text: str | None) -> int:
    try:
        return int(text or "0", 16) & 0xFFFF
    except ValueError:
        return 0


def _decimal(text: str | None, otherwise: int | None) -> int | None:
    return int(text) if text and text.isdecimal() else otherwise


def _time(element: Element | None) -> int:
    text = "" if element is None else (element.text or "").strip()
    return min(int(text), 0xFFFFFFFF) if text.isdecimal() else 0
