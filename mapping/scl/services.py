"""Services: the capabilities that an IED declares (IEC 61850-6, Services). A file without them declares everything."""

from mapping.model import LogSettings, ReportSettings, Services, Setting
from mapping.scl.document import Document, Element, flag


def read_services(document: Document, element: Element | None) -> Services:
    """The Services of an IED or access point; those that declare everything if `element` is None."""
    if element is None:
        return Services()

    def has(name: str) -> bool:
        return document.kid(element, name) is not None

    def limit(name: str, attribute: str = "max") -> int | None:
        kid = document.kid(element, name)
        text = "" if kid is None else kid.get(attribute, "")
        return int(text) if text.isdecimal() else None

    groups = document.kid(element, "SettingGroups")
    edit = None if groups is None else document.kid(groups, "SGEdit")
    confirm = None if groups is None else document.kid(groups, "ConfSG")
    return Services(
        declared=True,
        conf_data_set_max=limit("ConfDataSet"),
        conf_data_set_max_attributes=limit("ConfDataSet", "maxAttributes"),
        dyn_data_set=has("DynDataSet"),
        dyn_data_set_max=limit("DynDataSet"),
        dyn_data_set_max_attributes=limit("DynDataSet", "maxAttributes"),
        dyn_association_max=limit("DynAssociation"),
        report_settings=_report_settings(document.kid(element, "ReportSettings")),
        log_settings=_log_settings(document.kid(element, "LogSettings")),
        conf_report_control_max=limit("ConfReportControl"),
        sg_edit=edit is not None,
        conf_sg=confirm is not None,
        sg_resv_tms=edit is not None and flag(edit, "resvTms"),
        conf_sg_resv_tms=confirm is not None and flag(confirm, "resvTms"),
        read_write=has("ReadWrite"),
        file_handling=has("FileHandling"),
        log=has("ConfLogControl") or has("LogSettings"),
        time_activated=has("TimerActivatedControl"),
        set_data_set_value=has("SetDataSetValue"),
    )


def _setting(element: Element, name: str) -> Setting:
    text = element.get(name, Setting.FIX.value)
    return Setting(text) if text in {setting.value for setting in Setting} else Setting.FIX


def _report_settings(element: Element | None) -> ReportSettings:
    if element is None:
        return ReportSettings()
    return ReportSettings(
        cb_name=_setting(element, "cbName"),
        dat_set=_setting(element, "datSet"),
        rpt_id=_setting(element, "rptID"),
        opt_fields=_setting(element, "optFields"),
        buf_time=_setting(element, "bufTime"),
        trg_ops=_setting(element, "trgOps"),
        intg_pd=_setting(element, "intgPd"),
        resv_tms=flag(element, "resvTms"),
        owner=flag(element, "owner"),
    )


def _log_settings(element: Element | None) -> LogSettings:
    if element is None:
        return LogSettings()
    return LogSettings(
        cb_name=_setting(element, "cbName"),
        dat_set=_setting(element, "datSet"),
        log_ena=_setting(element, "logEna"),
        trg_ops=_setting(element, "trgOps"),
        intg_pd=_setting(element, "intgPd"),
    )
