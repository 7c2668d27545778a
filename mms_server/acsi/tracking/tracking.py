"""Service tracking: after each tracked service its tracking object shows the parameters, the client and the result.

    a Write to a control block ──┐   objRef serviceType errorCode originatorID t
    a control, its termination ──┼─► and what was asked, or the block as it is then     one commit, so one event by dupd
    another change ──────────────┘

An attribute that was written shows the value asked for, refused or not. The model decides which objects there are; without
an LTRK there is no tracking at all. Nothing of it is stored (IEC 61850-7-2 Edition 2, service tracking).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bus.quality import Stamp, UtcTime
from mapping.model import FC
from mms_server.acsi.behaviour import Behaviour
from mms_server.acsi.clients import Client
from mms_server.acsi.controllable_objects import ControlAction, ControlObject
from mms_server.acsi.tracking.objects import TrackingObject, tracker_of, tracking_objects
from mms_server.acsi.tracking.service_names import ServiceName, ServiceStatus, status_of
from mms_server.mms.add_cause import AddCause
from mms_server.mms.errors import DataAccessError, ServiceError
from mms_server.model.cache import Commit
from mms_server.model.control_blocks import block_names
from mms_server.model.tree import DataModel, PlacedNode

_CDCS: Final[Mapping[FC, tuple[str, ...]]] = {
    FC.BR: ("BTS",), FC.RP: ("UTS",), FC.LG: ("LTS", "OTS"), FC.SP: ("STS",),
    FC.GO: ("GTS",), FC.MS: ("MTS",), FC.US: ("NTS",),
}  # fmt: skip
"""The CDC of the tracking object of a control block; files have two names for that of logs."""

_SERVICES: Final[Mapping[FC, ServiceName]] = {
    FC.BR: ServiceName.SET_BRCB_VALUES,
    FC.RP: ServiceName.SET_URCB_VALUES,
    FC.LG: ServiceName.SET_LCB_VALUES,
    FC.GO: ServiceName.SET_GOCB_VALUES,
    FC.MS: ServiceName.SET_MSVCB_VALUES,
    FC.US: ServiceName.SET_USVCB_VALUES,
}
_GROUPS: Final = {
    "ActSG": ServiceName.SELECT_ACTIVE_SG,
    "EditSG": ServiceName.SELECT_EDIT_SG,
    "CnfEdit": ServiceName.CONFIRM_EDIT_SG_VALUES,
}
_CONTROLS: Final = {
    "SBO": ServiceName.SELECT,
    "SBOw": ServiceName.SELECT_WITH_VALUE,
    "Oper": ServiceName.OPERATE,
    "Cancel": ServiceName.CANCEL,
}
_NAMES: Final = {"GI": "gi", "TimeofEntry": "timeOfEntry", "OldEntr": "oldEnt", "NewEntr": "newEnt"}
"""Attributes of control blocks whose name in a tracking object is more than their own with a small first letter."""


@dataclass(frozen=True, eq=False, slots=True)
class _Block:
    """A control block, its own slot, and its tracking object."""

    placed: PlacedNode
    name: str
    fc: FC
    slot: int
    tracker: TrackingObject


class Tracking(Behaviour):
    """The tracking objects of one server, filled after each service."""

    def __init__(self, model: DataModel, objects: list[TrackingObject], commit: Commit) -> None:
        self._model = model
        self._commit = commit
        self._objects = objects
        self._generic = self._nearest(("CST",), None)
        self._by_control: dict[ControlObject, TrackingObject | None] = {}
        self._blocks: dict[int, _Block] = {}  # by the slots of the block and of everything in it
        for placed in model.nodes():
            self._place(placed)

    def _place(self, placed: PlacedNode) -> None:
        for fc, name in block_names(placed.source):
            tracker = self._nearest(_CDCS[fc], placed)
            if tracker is None:
                continue
            node = placed.layout.by_suffix[f"${fc.value}${name}".encode("ascii", "replace")]
            block = _Block(placed, node.name.decode(), fc, placed.base + node.index, tracker)
            for slot in range(block.slot, block.slot + node.size):
                self._blocks[slot] = block

    def _nearest(self, cdcs: tuple[str, ...], placed: PlacedNode | None) -> TrackingObject | None:
        """The tracking object of those CDCs in the LD of `placed`, else the first one of the server."""
        found = [one for one in self._objects if one.cdc in cdcs]
        own = [one for one in found if placed is not None and one.placed.domain is placed.domain]
        return next(iter([*own, *found]), None)

    # ------------------------------------------------------------------ control blocks

    def block(
        self, client: Client, slot: int, tag: int, contents: bytes, error: DataAccessError | None, now: Stamp
    ) -> None:
        """Track a Write of those Data to the control block (or its attribute) at `slot`, answered with `error`."""
        block = self._blocks.get(slot)
        if block is None:
            return
        node = self._model.node(slot)
        service = _GROUPS.get(node.name.decode()) if block.fc is FC.SP else _SERVICES[block.fc]
        if service is None:
            return  # no service writes these
        values = self._model.value(block.slot)
        assert isinstance(values, dict)  # noqa: S101 - a control block is a structure
        asked = None if node.kind is None else node.kind.decode(tag, contents)
        if node.name.decode() in values and asked is not None and not isinstance(asked, DataAccessError):
            values[node.name.decode()] = asked
        reference = f"{block.placed.domain.name.decode()}/{block.placed.name.decode()}.{block.name}"
        common = _common(reference, service, status_of(error), client.address_octets, now)
        self._show(block.tracker, common | {_name(name): _acsi(name, value) for name, value in values.items()}, now)

    # ------------------------------------------------------------------ controls

    def control(
        self,
        one: ControlObject,
        service: str,
        action: ControlAction | None,
        error: DataAccessError | None,
        cause: AddCause | None,
        now: Stamp,
    ) -> None:
        """Track SBO, SBOw, Oper or Cancel of `one`, answered with `error`; `action` None: its Data could not be decoded."""
        name = _CONTROLS[service]
        if service == "Oper" and action is not None and action.at is not None:
            name = ServiceName.TIME_ACTIVATED_OPERATE
        self._controlled(one, name, action, status_of(error, cause), _said(error is None, cause), now)

    def terminated(self, one: ControlObject, action: ControlAction, cause: AddCause | None, now: Stamp) -> None:
        """Track CommandTermination of `one`: positive, or negative with `cause`."""
        status = ServiceStatus.NO_ERROR if cause is None else ServiceStatus.FAILED_DUE_TO_SERVER_CONSTRAINT
        self._controlled(one, ServiceName.COMMAND_TERMINATION, action, status, _said(cause is None, cause), now)

    def _controlled(
        self,
        one: ControlObject,
        service: ServiceName,
        action: ControlAction | None,
        status: ServiceStatus,
        cause: AddCause,
        now: Stamp,
    ) -> None:
        if one not in self._by_control:
            own = [tracker for tracker in self._objects if tracker.placed.domain is one.placed.domain]
            self._by_control[one] = tracker_of(one, own) or tracker_of(one, self._objects)
        tracker = self._by_control[one]
        if tracker is None:
            return
        values = _common(one.reference, service, status, b"" if action is None else action.or_ident, now)
        values["respAddCause"] = cause
        self._show(tracker, values if action is None else values | _asked(action), now)

    # ------------------------------------------------------------------ other services

    def other(
        self,
        client: Client,
        service: ServiceName,
        reference: str,
        error: DataAccessError | ServiceError | None,
        now: Stamp,
    ) -> None:
        """Track a service without a tracking object of its own, about `reference`, answered with `error`."""
        if self._generic is not None:
            values = _common(reference, service, status_of(error), client.address_octets, now)
            self._show(self._generic, values, now)

    def _show(self, tracker: TrackingObject, values: Mapping[str, object], now: Stamp) -> None:
        self._commit(tracker.filled(values), now)


def tracking_of(model: DataModel, commit: Commit) -> Tracking | None:
    """The service tracking of `model`; None if it has no tracking object."""
    objects = list(tracking_objects(model))
    return Tracking(model, objects, commit) if objects else None


def _common(
    reference: str, service: ServiceName, status: ServiceStatus, originator: bytes, now: Stamp
) -> dict[str, object]:
    return {
        "objRef": reference,
        "serviceType": service,
        "errorCode": status,
        "originatorID": originator,
        "t": UtcTime(now.utc_ns, now.time_quality),
    }


def _asked(action: ControlAction) -> dict[str, object]:
    return {
        "ctlVal": action.value,
        "operTm": action.at,
        "origin": {"orCat": action.or_cat, "orIdent": action.or_ident},
        "ctlNum": action.ctl_num,
        "T": action.sent,
        "Test": action.test,
        "Check": action.synchro_check << 1 | action.interlock_check,
    }


def _said(accepted: bool, cause: AddCause | None) -> AddCause:
    if cause is not None:
        return cause
    return AddCause.NONE if accepted else AddCause.UNKNOWN


def _name(attribute: str) -> str:
    """The name of a control block's attribute in a tracking object."""
    return _NAMES.get(attribute, attribute[0].lower() + attribute[1:])


def _acsi(attribute: str, value: object) -> object:
    """The value of such an attribute: references without MMS's dollars."""
    return value.replace("$", ".") if attribute in ("DatSet", "LogRef") and isinstance(value, str) else value
