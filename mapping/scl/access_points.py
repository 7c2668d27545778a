"""One IED at one access point: LDevice, LN0, LN and all that stands in them become a model.Server."""

from collections.abc import Iterable

from mapping.diagnostics import Diagnostics, Span, did_you_mean
from mapping.model import LogicalDevice, LogicalNode, LogicalNodeType, Server
from mapping.references import nearest
from mapping.scl.communication import Addresses, read_addresses
from mapping.scl.control_blocks import Blocks
from mapping.scl.document import Document, Element, line_of
from mapping.scl.instances import read_overrides
from mapping.scl.name_lengths import long_names
from mapping.scl.reader import SclFile, server_element
from mapping.scl.services import read_services
from mapping.scl.templates import Templates


def server(scl: SclFile, ied: str | None, access_point: str | None, found: Diagnostics) -> Server:
    """The server of `ied` at `access_point`; of the first that has one where they are None.

    A broken part is left out, with a warning each; names that are too long have one too. Raises MappingError if there is no
    such server.
    """
    chosen = _choose(scl, ied, access_point, found)
    document = scl.document
    ied_element = next(one for one in document.kids(document.root, "IED") if one.get("name", "") == chosen[0])
    at = next(one for one in document.kids(ied_element, "AccessPoint") if one.get("name", "") == chosen[1])
    element = server_element(document, ied_element, at)
    assert element is not None  # noqa: S101 - `servers` lists only those that have one
    own_services = document.kid(at, "Services")
    addresses = read_addresses(document, *chosen)
    made = Server(
        ied_name=chosen[0],
        access_point=chosen[1],
        edition=scl.edition,
        devices=_Devices(document, chosen[0], element).read(addresses),
        services=read_services(
            document, document.kid(ied_element, "Services") if own_services is None else own_services
        ),
        address=addresses.own,
        manufacturer=ied_element.get("manufacturer", ""),
        ied_type=ied_element.get("type", ""),
        config_version=ied_element.get("configVersion", ""),
        revision=ied_element.get("originalSclRevision", ""),
    )
    for line, message in long_names(made):
        found.warning("scl-long-name", Span(document.file, max(line, 1)), message)
    return made


def _choose(scl: SclFile, ied: str | None, access_point: str | None, found: Diagnostics) -> tuple[str, str]:
    fits = [one for one in scl.servers if ied in (None, one[0]) and access_point in (None, one[1])]
    if fits:
        return fits[0]
    whole = Span(scl.document.file)
    if not scl.servers:
        found.error("scl-no-server", whole, "no IED of this file has a server")
    elif ied is not None and ied not in scl.ieds:
        found.error(
            "scl-unknown-ied", whole, f"no IED `{ied}`", hint=did_you_mean(nearest(ied, scl.ieds) or scl.ieds[:3])
        )
    else:
        there = [f"{one[0]} at {one[1]}" for one in scl.servers]
        message = f"no server of IED `{ied or 'any'}` at access point `{access_point or 'any'}`"
        found.error("scl-unknown-access-point", whole, message, notes=[f"servers: {', '.join(there[:10])}"])
    found.raise_errors()
    raise AssertionError("unreachable: an error was added above")


class _Devices:
    """Reads the LDevices of one Server element, in two passes: data sets may name LNs that come later."""

    def __init__(self, document: Document, ied_name: str, element: Element) -> None:
        self._document = document
        self._ied_name = ied_name
        self._templates = Templates(document)
        self._elements = self._unique(document.kids(element, "LDevice"))
        self._types: dict[tuple[str, str], LogicalNodeType] = {}
        self._nodes: dict[str, list[tuple[str, Element, LogicalNodeType]]] = {}

    def read(self, addresses: Addresses) -> tuple[LogicalDevice, ...]:
        domains = {inst: element.get("ldName") or f"{self._ied_name}{inst}" for inst, element in self._elements.items()}
        for inst, element in self._elements.items():
            self._nodes[inst] = list(self._typed(inst, element))
        blocks = Blocks(self._document, domains, self._types, addresses)
        return tuple(
            LogicalDevice(
                inst=inst,
                name=domains[inst],
                nodes=tuple(self._node(inst, blocks, *row) for row in self._nodes[inst]),
                line=line_of(element),
            )
            for inst, element in self._elements.items()
        )

    def _unique(self, elements: Iterable[Element]) -> dict[str, Element]:
        found: dict[str, Element] = {}
        for element in elements:
            inst = element.get("inst", "")
            if inst in found:
                self._document.warn("scl-duplicate", element, f"a second LDevice `{inst}`; left out", inst)
            found.setdefault(inst, element)
        return found

    def _typed(self, inst: str, device: Element) -> list[tuple[str, Element, LogicalNodeType]]:
        rows = []
        for element in self._document.kids(device, "LN0", "LN"):
            name = f"{element.get('prefix') or ''}{element.get('lnClass', '')}{element.get('inst') or ''}"
            if (inst, name) in self._types:
                self._document.warn(
                    "scl-duplicate", element, f"a second logical node `{name}` in `{inst}`; left out", name
                )
                continue
            ln_type = self._templates.ln_type(element.get("lnType", ""), element)
            if ln_type is not None:
                self._types[inst, name] = ln_type
                rows.append((name, element, ln_type))
        return rows

    def _node(self, ld: str, blocks: Blocks, name: str, element: Element, ln_type: LogicalNodeType) -> LogicalNode:
        return LogicalNode(
            name=name,
            ln_class=element.get("lnClass", ""),
            inst=element.get("inst") or "",
            prefix=element.get("prefix") or "",
            type=ln_type,
            overrides=read_overrides(self._document, element, ln_type),
            data_sets=blocks.data_sets(ld, element),
            reports=blocks.reports(element),
            logs=blocks.logs(ld, element),
            log_names=tuple(one.get("name") or ld for one in self._document.kids(element, "Log")),
            setting_control=blocks.setting_control(element),
            gooses=blocks.gooses(ld, element),
            sampled_values=blocks.sampled_values(ld, element),
            line=line_of(element),
        )
