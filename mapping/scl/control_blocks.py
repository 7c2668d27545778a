"""Data sets and control blocks of an LN: DataSet, ReportControl, LogControl, SettingControl, GSEControl, SampledValueControl."""

from collections.abc import Mapping
from typing import Final

from mapping.model import (
    FC,
    ClientLn,
    DataSet,
    DataSetMember,
    GooseControl,
    LogControl,
    LogicalNodeType,
    ReportControl,
    SampledValueControl,
    SettingControl,
)
from mapping.scl.communication import Addresses, Multicast, ip_of
from mapping.scl.document import Document, Element, flag, line_of, number
from mapping.scl.resolving import Step, stands_under, walk

INSTANCES_LIMIT: Final = 99
_TRG_OPS: Final = (("dchg", False), ("qchg", False), ("dupd", False), ("period", False), ("gi", True))
_OPT_FLDS: Final = (
    ("seqNum", False), ("timeStamp", False), ("reasonCode", False), ("dataSet", False), ("dataRef", False),
    ("bufOvfl", True), ("entryID", False), ("configRef", False), ("segmentation", False),
)  # fmt: skip
_SV_OPTS: Final = ("refreshTime", "sampleSynchronized", "sampleRate", "dataSet", "security")


class Blocks:
    """Reads the control blocks of one server: it knows the LN types by (LD inst, LN name), and the domains by inst."""

    def __init__(
        self,
        document: Document,
        domains: Mapping[str, str],
        types: Mapping[tuple[str, str], LogicalNodeType],
        addresses: Addresses,
    ) -> None:
        self._document = document
        self._domains = domains
        self._types = types
        self._addresses = addresses

    # ------------------------------------------------------------------ data sets

    def data_sets(self, ld_inst: str, ln: Element) -> tuple[DataSet, ...]:
        """The data sets of `ln`, without the members that name nothing."""
        seen: dict[str, DataSet] = {}
        for element in self._document.kids(ln, "DataSet"):
            name = element.get("name", "")
            if not name or name in seen:
                self._document.warn(
                    "scl-duplicate", element, f"a data set without a name of its own, `{name}`; left out", name
                )
                continue
            drawn = [self._member(ld_inst, fcda) for fcda in self._document.kids(element, "FCDA")]
            members = tuple(member for member in drawn if member is not None)
            if drawn and not members:
                self._document.warn("scl-empty-data-set", element, f"data set `{name}` has no member that exists", name)
            seen[name] = DataSet(name, members, line_of(element))
        return tuple(seen.values())

    def _member(self, own_ld: str, fcda: Element) -> DataSetMember | None:
        ld_inst = fcda.get("ldInst") or own_ld
        ln_name = f"{fcda.get('prefix') or ''}{fcda.get('lnClass') or 'LLN0'}{fcda.get('lnInst') or ''}"
        steps = [Step.parse(part) for name in ("doName", "daName") for part in fcda.get(name, "").split(".") if part]
        text = f"{ld_inst}/{'.'.join((ln_name, *map(str, steps)))}"
        fc_name = fcda.get("fc", "")
        ln_type = self._types.get((ld_inst, ln_name))
        if fc_name not in FC.__members__:
            return self._left_out(
                fcda, f"data set member `{text}` names no functional constraint that there is (`{fc_name}`)"
            )
        if ln_type is None:
            return self._left_out(fcda, f"data set member `{text}`: no such logical node")
        return self._resolved(fcda, text, ld_inst, ln_name, steps, FC(fc_name), ln_type)

    def _resolved(
        self, fcda: Element, text: str, ld_inst: str, ln_name: str, steps: list[Step], fc: FC, ln_type: LogicalNodeType
    ) -> DataSetMember | None:
        members = walk(ln_type, steps)
        if members is None or (steps and not stands_under(members, fc)):
            return self._left_out(fcda, f"data set member `{text}` [{fc.value}] is not in the model")
        index_text = fcda.get("ix", "")
        if index_text.isdecimal() and not any(step.index is not None for step in steps):
            at = next((position for position, member in enumerate(members) if member.count), None)
            if at is None or int(index_text) >= members[at].count:
                return self._left_out(fcda, f"data set member `{text}` has no element {index_text}")
            steps[at] = Step(steps[at].name, int(index_text))
        at = next((position for position, step in enumerate(steps) if step.index is not None), None)
        outer = steps if at is None else steps[: at + 1]
        inner = [] if at is None else steps[at + 1 :]
        if any(step.index is not None for step in inner) or any(one.count for one in members[len(outer) :]):
            return self._left_out(fcda, f"data set member `{text}` goes through an array in an array")
        return DataSetMember(
            domain=self._domains[ld_inst],
            item="$".join((ln_name, fc.value, *(step.name for step in outer))),
            index=None if at is None else steps[at].index,
            component="$".join(step.name for step in inner) or None,
            line=line_of(fcda),
        )

    def _left_out(self, element: Element, message: str) -> DataSetMember | None:
        self._document.warn("scl-unknown-member", element, f"{message}; left out", element.get("doName", ""))
        return None

    # ------------------------------------------------------------------ reports

    def reports(self, ln: Element) -> tuple[ReportControl, ...]:
        """The ReportControls of `ln`."""
        return tuple(self._report(element) for element in self._named(ln, "ReportControl"))

    def _report(self, element: Element) -> ReportControl:
        document = self._document
        enabled = document.kid(element, "RptEnabled")
        instances = 1 if enabled is None else number(document, enabled, "max", 1)
        indexed = flag(element, "indexed", True)
        return ReportControl(
            name=element.get("name", ""),
            buffered=flag(element, "buffered"),
            indexed=indexed,
            instances=min(max(instances, 1), INSTANCES_LIMIT) if indexed else 1,
            rpt_id=element.get("rptID"),
            data_set=element.get("datSet"),
            conf_rev=number(document, element, "confRev", 0),
            buf_time_ms=number(document, element, "bufTime", 0),
            intg_pd_ms=number(document, element, "intgPd", 0),
            trg_ops=_bits(document.kid(element, "TrgOps"), _TRG_OPS),
            opt_flds=_bits(document.kid(element, "OptFields"), _OPT_FLDS),
            clients=() if enabled is None else tuple(self._client(one) for one in document.kids(enabled, "ClientLN")),
            line=line_of(element),
        )

    def _client(self, element: Element) -> ClientLn:
        ied, access_point = element.get("iedName", ""), element.get("apRef", "")
        return ClientLn(
            ied_name=ied,
            ap_ref=access_point,
            ld_inst=element.get("ldInst", ""),
            prefix=element.get("prefix") or "",
            ln_class=element.get("lnClass", ""),
            ln_inst=element.get("lnInst") or "",
            address=ip_of(self._document, ied, access_point),
        )

    # ------------------------------------------------------------------ logs, settings, GOOSE, SV

    def logs(self, ld_inst: str, ln: Element) -> tuple[LogControl, ...]:
        """The LogControls of `ln`; the log is by default in the LLN0 of the LCB's own LD."""
        return tuple(self._log(ld_inst, element) for element in self._named(ln, "LogControl"))

    def _log(self, own_ld: str, element: Element) -> LogControl:
        ld_inst = element.get("ldInst") or own_ld
        ln_name = f"{element.get('prefix') or ''}{element.get('lnClass') or 'LLN0'}{element.get('lnInst') or ''}"
        return LogControl(
            name=element.get("name", ""),
            data_set=element.get("datSet"),
            log_domain=self._domains.get(ld_inst, ld_inst),
            log_name=f"{ln_name}${element.get('logName') or ld_inst}",
            log_ena=flag(element, "logEna", True),
            trg_ops=_bits(self._document.kid(element, "TrgOps"), _TRG_OPS),
            intg_pd_ms=number(self._document, element, "intgPd", 0),
            reason_code=flag(element, "reasonCode", True),
            line=line_of(element),
        )

    def setting_control(self, ln: Element) -> SettingControl | None:
        """The SettingControl of an LLN0."""
        element = self._document.kid(ln, "SettingControl")
        if element is None:
            return None
        groups = min(max(number(self._document, element, "numOfSGs", 1), 1), 255)
        active = number(self._document, element, "actSG", 1)
        reserved = (
            None if element.get("resvTms") is None else min(number(self._document, element, "resvTms", 0), 0xFFFF)
        )
        return SettingControl(groups, active if 1 <= active <= groups else 1, reserved, line_of(element))

    def gooses(self, ld_inst: str, ln: Element) -> tuple[GooseControl, ...]:
        """The GSEControls of `ln` that are GOOSE."""
        elements = [one for one in self._named(ln, "GSEControl") if one.get("type", "GOOSE") == "GOOSE"]
        return tuple(self._goose(element, self._multicast(ld_inst, element)) for element in elements)

    def _goose(self, element: Element, address: Multicast) -> GooseControl:
        return GooseControl(
            name=element.get("name", ""),
            app_id=element.get("appID", ""),
            data_set=element.get("datSet"),
            conf_rev=number(self._document, element, "confRev", 0),
            fixed_offs=flag(element, "fixedOffs"),
            mac_address=address.mac_address,
            appid=address.appid,
            vlan_id=address.vlan_id,
            vlan_priority=address.vlan_priority,
            min_time_ms=address.min_time_ms,
            max_time_ms=address.max_time_ms,
            line=line_of(element),
        )

    def sampled_values(self, ld_inst: str, ln: Element) -> tuple[SampledValueControl, ...]:
        """The SampledValueControls of `ln`."""
        elements = self._named(ln, "SampledValueControl")
        return tuple(self._sampled_value(element, self._multicast(ld_inst, element)) for element in elements)

    def _sampled_value(self, element: Element, address: Multicast) -> SampledValueControl:
        options = self._document.kid(element, "SmvOpts")
        return SampledValueControl(
            name=element.get("name", ""),
            sv_id=element.get("smvID", ""),
            data_set=element.get("datSet"),
            conf_rev=number(self._document, element, "confRev", 0),
            smp_rate=number(self._document, element, "smpRate", 0),
            no_asdu=number(self._document, element, "nofASDU", 1),
            multicast=flag(element, "multicast", True),
            smp_mod=element.get("smpMod", "SmpPerPeriod"),
            opts=_bits(options, tuple((name, False) for name in _SV_OPTS)),
            mac_address=address.mac_address,
            appid=address.appid,
            vlan_id=address.vlan_id,
            vlan_priority=address.vlan_priority,
            line=line_of(element),
        )

    def _multicast(self, ld_inst: str, element: Element) -> Multicast:
        return self._addresses.blocks.get((ld_inst, element.get("name", "")), Multicast())

    def _named(self, ln: Element, kind: str) -> list[Element]:
        seen: set[str] = set()
        named = []
        for element in self._document.kids(ln, kind):
            name = element.get("name", "")
            if not name or name in seen:
                self._document.warn(
                    "scl-duplicate", element, f"a {kind} without a name of its own, `{name}`; left out", name
                )
                continue
            seen.add(name)
            named.append(element)
        return named


def _bits(element: Element | None, names: tuple[tuple[str, bool], ...]) -> int:
    """The flags of `element` in wire order, the first the most significant, behind a leading 0 for "reserved" (not SV)."""
    bits = 0
    for name, otherwise in names:
        bits = bits << 1 | (otherwise if element is None else flag(element, name, otherwise))
    return bits
