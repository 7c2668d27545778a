"""Controllable objects: a data object's control attributes, and the action in one request (IEC 61850-7-2, control).

    SBO (read)   SBOw, Oper { ctlVal [operTm] origin { orCat orIdent } ctlNum T Test Check }   Cancel { no Check }

The members are found by name, since not every type has all of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from bus.quality import UtcTime
from mapping.model import FC
from mms_server.mms.data import Enumeration, Integer, Kind, OctetString, Scalar
from mms_server.model.layout import Node
from mms_server.model.tree import DataModel, PlacedNode

SBO_TIMEOUT_MS: Final = 30_000
STATUS_ONLY, DIRECT_NORMAL, SBO_NORMAL, DIRECT_ENHANCED, SBO_ENHANCED = range(5)
_ORIGIN: Final = ((b"orCat", Integer(32)), (b"orIdent", OctetString(255)))


@dataclass(frozen=True, slots=True)
class ControlAction:
    """The parameters of one control. `value` is ctlVal in Python: a bool, a number, or a dict of an analogue value.

    `or_cat` and `or_ident` are its originator; `at` is the time at which it is to be done, None for now. `select`: the
    object is to be selected only; with normal security `value` is None then. `sent` is T, the client's time.
    """

    reference: str
    value: object
    or_cat: int
    or_ident: bytes
    ctl_num: int
    test: bool
    synchro_check: bool
    interlock_check: bool
    at: UtcTime | None = None
    select: bool = False
    sent: UtcTime | None = None

    def agrees(self, other: "ControlAction", *, checks: bool = True) -> bool:
        """True if both ask the same; T is never compared, Check where both have one."""
        mine = (self.value, self.or_cat, self.or_ident, self.ctl_num, self.test)
        theirs = (other.value, other.or_cat, other.or_ident, other.ctl_num, other.test)
        same = (self.synchro_check, self.interlock_check) == (other.synchro_check, other.interlock_check)
        return mine == theirs and (same or not checks)


class ControlObject:
    """One data object with Oper. Attributes that its type lacks are passed over in silence."""

    def __init__(self, model: DataModel, placed: PlacedNode, node: Node) -> None:
        self.model = model
        self.placed = placed
        self.node = node
        suffix = node.suffix or b""
        self.path = suffix.removeprefix(b"$CO$")  # DO, or DO$SDO
        self.services = [child for child in node.children if child.name in (b"SBOw", b"Oper", b"Cancel")]
        self.slots = {child.name.decode(): placed.base + child.index for child in node.children}
        self._categories = [
            leaf.kind.ordinals
            for service in self.services
            if (origin := service.child(b"origin")) is not None and (leaf := origin.child(b"orCat")) is not None
            if isinstance(leaf.kind, Enumeration) and leaf.kind.ordinals
        ]
        dotted = self.path.decode().replace("$", ".")
        self.reference = f"{placed.domain.name.decode()}/{placed.name.decode()}.{dotted}"
        self.sbo_text = self.item("SBO").decode()

    def item(self, service: str) -> bytes:
        """The MMS item of a service's variable, with its domain: `LD/LN$CO$DO$Oper`."""
        return self.placed.domain.name + b"/" + self.variable(service)

    def variable(self, service: str) -> bytes:
        """The MMS item of a service's variable."""
        return self.placed.name + b"$CO$" + self.path + b"$" + service.encode()

    def slot(self, fc: FC, name: str) -> int | None:
        """The slot of the object's attribute `name` under `fc`."""
        node = self.placed.layout.by_suffix.get(b"$" + fc.value.encode() + b"$" + self.path + b"$" + name.encode())
        return None if node is None else self.placed.base + node.index

    def shown(self, name: str) -> int | None:
        """The slot of the object's status `name`, under ST or, of an analogue value, under MX."""
        slot = self.slot(FC.ST, name)
        return self.slot(FC.MX, name) if slot is None else slot

    def origins(self) -> Iterator[tuple[int, Kind]]:
        """The leaves of every origin that a client writes, as they are read: control judges them, not their type."""
        for service in self.services:
            origin = service.child(b"origin")
            for name, kind in _ORIGIN if origin is not None else ():
                leaf = origin.child(name) if origin is not None else None
                if leaf is not None:
                    yield self.placed.base + leaf.index, kind

    def knows(self, action: "ControlAction") -> bool:
        """True if the file's enumeration has the originator category of `action`."""
        return all(action.or_cat in one for one in self._categories)

    def number(self, fc: FC, name: str, otherwise: int = 0) -> int:
        """The value of a numeric attribute, `otherwise` where there is none."""
        slot = self.slot(fc, name)
        value = None if slot is None else self.model.cache.values[slot]
        return int(value) if isinstance(value, int | float) else otherwise

    @property
    def ctl_model(self) -> int:
        """The control model as it is now."""
        return self.number(FC.CF, "ctlModel")

    @property
    def select_ms(self) -> int:
        """The duration of a selection: sboTimeout, or SBO_TIMEOUT_MS where that is 0 or absent."""
        return self.number(FC.CF, "sboTimeout") or SBO_TIMEOUT_MS

    @property
    def operate_many(self) -> bool:
        """True if a selection outlives an operation."""
        return self.number(FC.CF, "sboClass") == 1

    @property
    def is_mode(self) -> bool:
        """True for Mod, which the server itself carries out."""
        return self.path == b"Mod"

    def beh(self) -> int:
        """Beh of the LN, on where it has none. Mod is never blocked by it: what is off can be switched on again."""
        if self.is_mode:
            return 1
        node = self.placed.layout.by_suffix.get(b"$ST$Beh$stVal")
        value = None if node is None else self.model.cache.values[self.placed.base + node.index]
        return value if isinstance(value, int) else 1

    def flag(self, name: bytes) -> bool:
        """The status of the DO `name` (Loc, LocSta) of the LN, or of LLN0."""
        for ln in (self.placed, self.placed.domain.nodes.get(b"LLN0")):
            node = None if ln is None else ln.layout.by_suffix.get(b"$ST$" + name + b"$stVal")
            if ln is not None and node is not None and self.model.cache.values[ln.base + node.index] is True:
                return True
        return False

    def action(self, service: str, pairs: list[tuple[int, Scalar]]) -> ControlAction:
        """The action that the values written to `service` mean."""
        values, top = dict(pairs), self.slots[service]
        node = self.model.node(top)
        asked = {
            child.name.decode(): self.model.value(top + child.index - node.index, values) for child in node.children
        }
        origin, check, at, sent = (asked.get(name) for name in ("origin", "Check", "operTm", "T"))
        who = origin if isinstance(origin, dict) else {}
        bits = check if isinstance(check, int) else 0
        return ControlAction(
            self.reference,
            asked.get("ctlVal"),
            who.get("orCat", 0),
            who.get("orIdent", b""),
            int(str(asked.get("ctlNum", 0))),
            asked.get("Test") is True,
            bool(bits & 0b10),
            bool(bits & 0b01),
            at if isinstance(at, UtcTime) and at.ns else None,
            select=service == "SBOw",
            sent=sent if isinstance(sent, UtcTime) else None,
        )

    def selecting(self) -> ControlAction:
        """The action of a select with normal security, which carries neither origin nor value."""
        return ControlAction(self.reference, None, 0, b"", 0, False, False, False, select=True)


def control_objects(model: DataModel) -> Iterator[ControlObject]:
    """Every object of `model` that has an Oper."""
    for placed in model.nodes():
        top = placed.layout.by_suffix.get(b"$CO")
        for node in _with_oper(top) if top is not None else ():
            yield ControlObject(model, placed, node)


def _with_oper(node: Node) -> Iterator[Node]:
    if node.child(b"Oper") is not None:
        yield node
    for child in node.children if node.suffix is not None and not node.array else ():
        if child.name not in (b"Oper", b"SBOw", b"Cancel", b"SBO"):
            yield from _with_oper(child)
