"""libIEC61850 as a client, driven line by line: runs in the environment that has pyiec61850-ng, and imports nothing of ours.

stdin has one JSON command a line, `["connect", 10102]`; stdout one JSON answer each, and `{"report": ...}` whenever one comes.

The binding keeps Python's lock while a call waits for its answer, and needs it to come out of a report's callback: who asks
while a callback has not quite ended waits for ever. So a report is said a moment after its callback, when nobody asks.
"""

import json
import queue
import sys
import threading
import time
from typing import Any

from pyiec61850 import pyiec61850 as iec

MASKS = {
    "RptID": iec.RCB_ELEMENT_RPT_ID, "RptEna": iec.RCB_ELEMENT_RPT_ENA, "Resv": iec.RCB_ELEMENT_RESV,
    "DatSet": iec.RCB_ELEMENT_DATSET, "OptFlds": iec.RCB_ELEMENT_OPT_FLDS, "BufTm": iec.RCB_ELEMENT_BUF_TM,
    "TrgOps": iec.RCB_ELEMENT_TRG_OPS, "IntgPd": iec.RCB_ELEMENT_INTG_PD, "GI": iec.RCB_ELEMENT_GI,
    "PurgeBuf": iec.RCB_ELEMENT_PURGE_BUF, "EntryID": iec.RCB_ELEMENT_ENTRY_ID, "ResvTms": iec.RCB_ELEMENT_RESV_TMS,
}  # fmt: skip
FCS = {name: getattr(iec, f"IEC61850_FC_{name}") for name in ("ST", "MX", "SP", "CF", "DC", "BR", "RP")}
LOCK = threading.Lock()
CONNECTED_S = 0.5
CONNECTIONS = 5
CALLBACK_S = 0.05  # more than a callback needs to end once it has said its report
REPORTS: queue.Queue[dict[str, Any]] = queue.Queue()


def say(answer: dict[str, Any]) -> None:
    with LOCK:
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def say_reports() -> None:
    while True:
        report = REPORTS.get()
        time.sleep(CALLBACK_S)
        say(report)


def plain(value: Any) -> Any:
    """An MmsValue as JSON has it."""
    kind = iec.MmsValue_getType(value)
    if kind in (iec.MMS_STRUCTURE, iec.MMS_ARRAY):
        return [plain(iec.MmsValue_getElement(value, at)) for at in range(iec.MmsValue_getArraySize(value))]
    if kind == iec.MMS_BOOLEAN:
        return bool(iec.MmsValue_getBoolean(value))
    if kind == iec.MMS_INTEGER:
        return iec.MmsValue_toInt64(value)
    if kind == iec.MMS_UNSIGNED:
        return iec.MmsValue_toUint32(value)
    if kind == iec.MMS_FLOAT:
        return iec.MmsValue_toFloat(value)
    if kind in (iec.MMS_VISIBLE_STRING, iec.MMS_STRING):
        return iec.MmsValue_toString(value)
    if kind == iec.MMS_DATA_ACCESS_ERROR:
        return {"failure": iec.MmsValue_getDataAccessError(value)}
    return iec.MmsValue_getTypeString(value)


class Handler(iec.RCBHandler):
    """Says each report."""

    def __init__(self) -> None:
        iec.RCBHandler.__init__(self)

    def trigger(self) -> None:
        report = self._client_report
        values = iec.ClientReport_getDataSetValues(report)
        size = iec.MmsValue_getArraySize(values)
        reasons = [iec.ClientReport_getReasonForInclusion(report, at) for at in range(size)]
        entry_id = iec.ClientReport_getEntryId(report)
        REPORTS.put(
            {
                "report": iec.ClientReport_getRptId(report),
                "sq_num": iec.ClientReport_getSeqNum(report) if iec.ClientReport_hasSeqNum(report) else None,
                "overflow": iec.ClientReport_getBufOvfl(report) if iec.ClientReport_hasBufOvfl(report) else None,
                "entry_id": octets(entry_id) if entry_id else None,
                "reasons": reasons,
                "values": [plain(iec.MmsValue_getElement(values, at)) if reasons[at] else None for at in range(size)],
            }
        )


class Termination(iec.CommandTermHandler):
    """Keeps what a CommandTermination says: the AddCause, 0 where it is positive."""

    def __init__(self) -> None:
        iec.CommandTermHandler.__init__(self)
        self.came = threading.Event()
        self.cause: int | None = None

    def trigger(self) -> None:
        self.cause = iec.ControlObjectClient_getLastApplError(self._libiec61850_control_object_client).addCause
        self.came.set()


def mms_value(value: float, bits: int = 0) -> Any:
    """A ctlVal: a boolean, a step (`bits` 2), an integer or a float."""
    if bits:
        made = iec.MmsValue_newBitString(bits)
        for at in range(bits):
            iec.MmsValue_setBitStringBit(made, at, bool(int(value) >> (bits - 1 - at) & 1))
        return made
    if isinstance(value, bool):
        return iec.MmsValue_newBoolean(value)
    return iec.MmsValue_newIntegerFromInt32(value) if isinstance(value, int) else iec.MmsValue_newFloat(value)


def octets(value: Any) -> list[int]:
    return [iec.MmsValue_getOctetStringOctet(value, at) for at in range(iec.MmsValue_getOctetStringSize(value))]


class Client:
    """The commands."""

    def __init__(self) -> None:
        self.connection: Any = None
        self.kept: list[Any] = []
        self.controls: dict[str, tuple[Any, Termination]] = {}

    def connect(self, port: int) -> Any:
        """Associate. The error of the library, 0 if there is none.

        The library has a race of its own: on a busy host it may say that it is connected while its MMS layer is not, and never
        is. It then refuses every request by itself with "connection lost". Such a connection is given up for another one.
        """
        for _ in range(CONNECTIONS):
            self.connection = iec.IedConnection_create()
            error = self.error(iec.IedConnection_connect(self.connection, "127.0.0.1", port))
            if error or self._sends():
                return error
            self.close()
        return "not connected"

    def _sends(self) -> bool:
        """True once a Read has reached the server (which has no such object); False after CONNECTED_S."""
        until = time.monotonic() + CONNECTED_S
        while time.monotonic() < until:
            if iec.IedConnection_getState(self.connection) == iec.IED_STATE_CONNECTED:
                _, error = iec.IedConnection_readObject(self.connection, "NONE/LLN0.Mod", FCS["ST"])
                if error != iec.IED_ERROR_CONNECTION_LOST:
                    return True
            time.sleep(0.001)
        return False

    @staticmethod
    def error(result: Any) -> Any:
        """The IedClientError in what a binding gave back: alone, or behind the value."""
        return result[-1] if isinstance(result, list | tuple) else result

    def control(self, reference: str) -> Any:
        """The control model of an object, which is operated from now on."""
        if reference in self.controls:
            return iec.ControlObjectClient_getControlModel(self.controls[reference][0])
        control = iec.ControlObjectClient_create(reference, self.connection)
        handler, subscriber = Termination(), iec.CommandTermSubscriber()
        subscriber.setLibiec61850ControlObjectClient(control)
        subscriber.setEventHandler(handler)
        subscriber.subscribe()
        self.kept.append(subscriber)
        self.controls[reference] = (control, handler)
        return iec.ControlObjectClient_getControlModel(control)

    def select(self, reference: str, *value: float, bits: int = 0) -> Any:
        control, _ = self.controls[reference]
        if value:
            return self.judged(control, iec.ControlObjectClient_selectWithValue(control, mms_value(value[0], bits)))
        return self.judged(control, iec.ControlObjectClient_select(control))

    def operate(self, reference: str, value: float, bits: int = 0) -> Any:
        control, handler = self.controls[reference]
        handler.came.clear()
        return self.judged(control, iec.ControlObjectClient_operate(control, mms_value(value, bits), 0))

    def cancel(self, reference: str) -> Any:
        control, _ = self.controls[reference]
        return self.judged(control, iec.ControlObjectClient_cancel(control))

    def terminated(self, reference: str, within_s: float) -> int | None:
        """The AddCause of the CommandTermination; None if none comes."""
        _, handler = self.controls[reference]
        return handler.cause if handler.came.wait(within_s) else None

    @staticmethod
    def judged(control: Any, done: bool) -> Any:
        """True, or the AddCause why not."""
        return True if done else iec.ControlObjectClient_getLastApplError(control).addCause

    def files(self, folder: str) -> dict[str, Any]:
        listed, error = iec.IedConnection_getFileDirectory(self.connection, folder)
        found, one = {}, iec.LinkedList_getNext(listed) if listed else None
        while one:
            entry = iec.toFileDirectoryEntry(iec.LinkedList_getData(one))
            found[iec.FileDirectoryEntry_getFileName(entry)] = iec.FileDirectoryEntry_getFileSize(entry)
            one = iec.LinkedList_getNext(one)
        return {"error": error} if error else found

    def fetch(self, name: str, local: str) -> list[Any]:
        error = iec.MmsError_create()
        connection = iec.IedConnection_getMmsConnection(self.connection)
        return [bool(iec.MmsConnection_downloadFile(connection, error, name, local)), iec.MmsError_getValue(error)]

    def put(self, local: str, name: str) -> Any:
        """SetFile: the file `local` of the folder in which this runs."""
        return self.error(iec.IedConnection_setFile(self.connection, local, name))

    def close(self) -> int:
        iec.IedConnection_close(self.connection)
        iec.IedConnection_destroy(self.connection)
        return 0

    def read(self, reference: str, fc: str) -> Any:
        value, error = iec.IedConnection_readObject(self.connection, reference, FCS[fc])
        return {"error": error} if error else plain(value)

    def position(self, reference: str) -> Any:
        """A double point as a number: 0 intermediate, 1 off, 2 on."""
        value, error = iec.IedConnection_readObject(self.connection, reference, FCS["ST"])
        return {"error": error} if error else iec.MmsValue_getBitStringAsIntegerBigEndian(value)

    def write_float(self, reference: str, fc: str, value: float) -> Any:
        return self.error(iec.IedConnection_writeFloatValue(self.connection, reference, FCS[fc], value))

    def write_text(self, reference: str, fc: str, value: str) -> Any:
        return self.error(iec.IedConnection_writeVisibleStringValue(self.connection, reference, FCS[fc], value))

    def define(self, domain: str, name: str, items: list[str]) -> Any:
        """Below the ACSI functions, which take a list of C strings that the binding cannot make."""
        listed = iec.LinkedList_create()
        self.kept.append([iec.MmsVariableAccessSpecification_create(domain, item) for item in items])
        for one in self.kept[-1]:
            iec.LinkedList_add(listed, one)
        connection = iec.IedConnection_getMmsConnection(self.connection)
        error = iec.MmsError_create()
        iec.MmsConnection_defineNamedVariableList(connection, error, domain, name, listed)
        return iec.MmsError_getValue(error)

    def delete(self, reference: str) -> list[Any]:
        deleted, error = iec.IedConnection_deleteDataSet(self.connection, reference)
        return [bool(deleted), error]

    def listen(self, block: str, rpt_id: str) -> bool:
        handler = Handler()
        subscriber = iec.RCBSubscriber()
        subscriber.setIedConnection(self.connection)
        subscriber.setRcbReference(block)
        subscriber.setRcbRptId(rpt_id)
        subscriber.setEventHandler(handler)
        self.kept.append((handler, subscriber))
        return bool(subscriber.subscribe())

    def rcb(self, block: str, **attributes: Any) -> Any:
        got = iec.ClientReportControlBlock_create(block)
        error = self.error(iec.IedConnection_getRCBValues(self.connection, block, got))
        if error:
            return error
        mask = 0
        for name, value in attributes.items():
            mask |= MASKS[name]
            set_attribute(got, name, value)
        error = self.error(iec.IedConnection_setRCBValues(self.connection, got, mask, True))
        iec.ClientReportControlBlock_destroy(got)
        return error

    def show(self, block: str) -> Any:
        got = iec.ClientReportControlBlock_create(block)
        error = self.error(iec.IedConnection_getRCBValues(self.connection, block, got))
        if error:
            return error
        shown = {
            "RptEna": iec.ClientReportControlBlock_getRptEna(got),
            "RptID": iec.ClientReportControlBlock_getRptId(got),
            "DatSet": iec.ClientReportControlBlock_getDataSetReference(got),
            "ConfRev": iec.ClientReportControlBlock_getConfRev(got),
            "SqNum": iec.ClientReportControlBlock_getSqNum(got),
            "TrgOps": iec.ClientReportControlBlock_getTrgOps(got),
        }
        iec.ClientReportControlBlock_destroy(got)
        return shown


def set_attribute(block: Any, name: str, value: Any) -> None:
    if name == "EntryID":
        octet_string = iec.MmsValue_newOctetString(0, 8)
        for at, octet in enumerate(value):
            iec.MmsValue_setOctetStringOctet(octet_string, at, octet)
        iec.ClientReportControlBlock_setEntryId(block, octet_string)
        return
    setter = "DataSetReference" if name == "DatSet" else "RptId" if name == "RptID" else name
    if name == "EntryID":
        setter = "EntryId"
    getattr(iec, f"ClientReportControlBlock_set{setter}")(block, value)


CLIENT = Client()
threading.Thread(target=say_reports, daemon=True).start()
for line in sys.stdin:
    name, *arguments = json.loads(line)
    keywords = arguments.pop() if arguments and isinstance(arguments[-1], dict) else {}
    say({"answer": getattr(CLIENT, name)(*arguments, **keywords)})
