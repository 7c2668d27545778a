"""Control blocks as data: their attributes in the one order that clients rely on (IEC 61850-8-1; a structure is positional).

    URCB  RptID RptEna Resv DatSet ConfRev OptFlds BufTm SqNum TrgOps IntgPd GI [Owner]
    BRCB  RptID RptEna DatSet ConfRev OptFlds BufTm SqNum TrgOps IntgPd GI PurgeBuf EntryID TimeofEntry [ResvTms] [Owner]
    LCB   LogEna LogRef DatSet OldEntrTm NewEntrTm OldEntr NewEntr TrgOps IntgPd
    SGCB  NumOfSG ActSG EditSG CnfEdit LActTm [ResvTms]
    GoCB  GoEna GoID DatSet ConfRev NdsCom DstAddress MinTime MaxTime FixedOffs

Edition 1 has neither ResvTms nor Owner; from Edition 2 on ReportSettings decides, and without them ResvTms is there
and Owner is not.
"""

from collections.abc import Iterator
from typing import Final

from mapping.model import (
    FC,
    Edition,
    GooseControl,
    LogControl,
    LogicalDevice,
    LogicalNode,
    ReportControl,
    SampledValueControl,
    Server,
    SettingControl,
)
from mms_server.mms.data import BinaryTime, BitString, Kind, OctetString, VisibleString
from mms_server.model import leaves
from mms_server.model.layout import Draft

ENTRY_ID: Final = OctetString(8, fixed=True)
TRG_OPS: Final = BitString(6, varying=True)
OPT_FLDS: Final = BitString(10, varying=True)
_TIME: Final = BinaryTime()
_OWNER: Final = OctetString(64)
_SV_OPT_FLDS: Final = BitString(5, varying=True)


def block_drafts(server: Server, ld: LogicalDevice, ln: LogicalNode) -> dict[FC, list[Draft]]:
    """The control blocks of `ln` by functional constraint, every instance of an RCB for itself."""
    if not (ln.reports or ln.logs or ln.setting_control or ln.gooses or ln.sampled_values):
        return {}
    fixed = _Blocks(server, ld, ln)
    buffered = [draft for one in ln.reports if one.buffered for draft in fixed.reports(one)]
    unbuffered = [draft for one in ln.reports if not one.buffered for draft in fixed.reports(one)]
    found = {
        FC.SP: [] if ln.setting_control is None else [fixed.setting_groups(ln.setting_control)],
        FC.BR: buffered,
        FC.RP: unbuffered,
        FC.LG: [fixed.log(one) for one in ln.logs],
        FC.GO: [fixed.goose(one) for one in ln.gooses],
        FC.MS: [fixed.sampled_values(one) for one in ln.sampled_values if one.multicast],
        FC.US: [fixed.sampled_values(one) for one in ln.sampled_values if not one.multicast],
    }
    return {fc: drafts for fc, drafts in found.items() if drafts}


def block_names(ln: LogicalNode) -> Iterator[tuple[FC, str]]:
    """The functional constraint and the name of every control block of `ln`."""
    for report in ln.reports:
        yield from ((FC.BR if report.buffered else FC.RP, name) for name in report.instance_names())
    yield from ((FC.LG, one.name) for one in ln.logs)
    if ln.setting_control is not None:
        yield FC.SP, "SGCB"
    yield from ((FC.GO, one.name) for one in ln.gooses)
    yield from ((FC.MS if one.multicast else FC.US, one.name) for one in ln.sampled_values)


def _leaf(name: str, kind: Kind, value: bool | int | str | bytes) -> Draft:
    return Draft(name, kind=kind, default=leaves.initial(kind, value))


class _Blocks:
    """The control blocks of one LN; what the server as a whole decides is looked up once."""

    def __init__(self, server: Server, ld: LogicalDevice, ln: LogicalNode) -> None:
        settings = server.services.report_settings
        first_edition = server.edition is Edition.ED1
        self._resv_tms = not first_edition and settings.resv_tms is not False
        self._owner = not first_edition and settings.owner is True
        self._sg_resv_tms = server.services.sg_resv_tms and not first_edition
        self._reference = VisibleString(65) if first_edition else leaves.REFERENCE
        self._above = f"{ld.name}/{ln.name}"

    def _data_set(self, name: str | None) -> Draft:
        return _leaf("DatSet", self._reference, f"{self._above}${name}" if name else "")

    def reports(self, block: ReportControl) -> list[Draft]:
        """One draft for each instance."""
        return [self._report(block, name) for name in block.instance_names()]

    def _report(self, block: ReportControl, name: str) -> Draft:
        fc = "BR" if block.buffered else "RP"
        rpt_id = block.rpt_id or f"{self._above}${fc}${name}"
        members = [
            _leaf("RptID", self._reference, rpt_id),
            _leaf("RptEna", leaves.BOOLEAN, False),
            *([] if block.buffered else [_leaf("Resv", leaves.BOOLEAN, False)]),
            self._data_set(block.data_set),
            _leaf("ConfRev", leaves.INT32U, block.conf_rev),
            _leaf("OptFlds", OPT_FLDS, block.opt_flds),
            _leaf("BufTm", leaves.INT32U, block.buf_time_ms),
            _leaf("SqNum", leaves.INT16U if block.buffered else leaves.INT8U, 0),
            _leaf("TrgOps", TRG_OPS, block.trg_ops),
            _leaf("IntgPd", leaves.INT32U, block.intg_pd_ms),
            _leaf("GI", leaves.BOOLEAN, False),
        ]
        if block.buffered:
            members += [
                _leaf("PurgeBuf", leaves.BOOLEAN, False),
                _leaf("EntryID", ENTRY_ID, bytes(8)),
                _leaf("TimeofEntry", _TIME, 0),
            ]
            if self._resv_tms:
                members.append(_leaf("ResvTms", leaves.INT16, 0))
        if self._owner:
            members.append(_leaf("Owner", _OWNER, b""))
        return Draft(name, members)

    def log(self, block: LogControl) -> Draft:
        """The LCB."""
        return Draft(
            block.name,
            [
                _leaf("LogEna", leaves.BOOLEAN, block.log_ena),
                _leaf("LogRef", self._reference, f"{block.log_domain}/{block.log_name}"),
                self._data_set(block.data_set),
                _leaf("OldEntrTm", _TIME, 0),
                _leaf("NewEntrTm", _TIME, 0),
                _leaf("OldEntr", ENTRY_ID, bytes(8)),
                _leaf("NewEntr", ENTRY_ID, bytes(8)),
                _leaf("TrgOps", TRG_OPS, block.trg_ops),
                _leaf("IntgPd", leaves.INT32U, block.intg_pd_ms),
            ],
        )

    def setting_groups(self, block: SettingControl) -> Draft:
        """The SGCB."""
        members = [
            _leaf("NumOfSG", leaves.INT8U, block.num_of_sgs),
            _leaf("ActSG", leaves.INT8U, block.act_sg),
            _leaf("EditSG", leaves.INT8U, 0),
            _leaf("CnfEdit", leaves.BOOLEAN, False),
            _leaf("LActTm", leaves.TIMESTAMP, 0),
        ]
        if self._sg_resv_tms:
            members.append(_leaf("ResvTms", leaves.INT16U, block.resv_tms or 0))
        return Draft("SGCB", members)

    def goose(self, block: GooseControl) -> Draft:
        """The GoCB."""
        return Draft(
            block.name,
            [
                _leaf("GoEna", leaves.BOOLEAN, False),
                _leaf("GoID", self._reference, block.app_id),
                self._data_set(block.data_set),
                _leaf("ConfRev", leaves.INT32U, block.conf_rev),
                _leaf("NdsCom", leaves.BOOLEAN, block.needs_commissioning),
                _address("DstAddress", block.mac_address, block.vlan_priority, block.vlan_id, block.appid),
                _leaf("MinTime", leaves.INT32U, block.min_time_ms),
                _leaf("MaxTime", leaves.INT32U, block.max_time_ms),
                _leaf("FixedOffs", leaves.BOOLEAN, block.fixed_offs),
            ],
        )

    def sampled_values(self, block: SampledValueControl) -> Draft:
        """The MSVCB or USVCB."""
        prefix = "Ms" if block.multicast else "Us"
        modes = {"SmpPerPeriod": 0, "SmpPerSec": 1, "SecPerSmp": 2}
        reserved = [] if block.multicast else [_leaf("Resv", leaves.BOOLEAN, False)]
        return Draft(
            block.name,
            [
                _leaf("SvEna", leaves.BOOLEAN, False),
                *reserved,
                _leaf(f"{prefix}vID", self._reference, block.sv_id),
                self._data_set(block.data_set),
                _leaf("ConfRev", leaves.INT32U, block.conf_rev),
                _leaf("SmpRate", leaves.INT32U, block.smp_rate),
                _leaf("OptFlds", _SV_OPT_FLDS, block.opts),
                _leaf("SmpMod", leaves.INT8, modes.get(block.smp_mod, 0)),
                _address("DstAddress", block.mac_address, block.vlan_priority, block.vlan_id, block.appid),
                _leaf("noASDU", leaves.INT32U, block.no_asdu),
            ],
        )


def _address(name: str, mac: bytes, priority: int, vlan: int, appid: int) -> Draft:
    return Draft(
        name,
        [
            _leaf("Addr", OctetString(6, fixed=True), mac if len(mac) == 6 else bytes(6)),
            _leaf("PRIORITY", leaves.INT8U, priority),
            _leaf("VID", leaves.INT16U, vlan),
            _leaf("APPID", leaves.INT16U, appid),
        ],
    )
