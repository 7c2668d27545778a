"""Command record: one for each command of a client, done or refused, for the log and the audit log (pure)."""

from dataclasses import dataclass

from mms_server.acsi.clients import Client
from mms_server.acsi.controllable_objects import ControlAction
from mms_server.mms.add_cause import AddCause
from mms_server.mms.errors import DataAccessError


@dataclass(frozen=True, slots=True)
class CommandRecord:
    """One command at its end: its client, its object and its result.

    `service` is SBO, SBOw, Oper or Cancel. `action` None: the Data could not be decoded. `refused` is the AddCause, or the
    error of a refusal that has none; None: done. `text` is the result in words. `ms`: from the request to the end.
    """

    client: Client
    reference: str
    service: str
    action: ControlAction | None
    refused: AddCause | DataAccessError | None
    text: str
    ms: int

    def fields(self) -> dict[str, object]:
        """The fields of a log line beside its text."""
        result = "ok" if self.refused is None else self.refused.name.lower()
        shown: dict[str, object] = {
            "assoc": self.client.association, "peer": self.client.address, "service": self.service,
        }  # fmt: skip
        if self.action is not None:
            shown |= {
                "orCat": self.action.or_cat, "orIdent": self.action.or_ident.hex(), "ctlNum": self.action.ctl_num,
                "test": self.action.test,
            }  # fmt: skip
        return shown | {"result": result, "ms": self.ms}

    def __str__(self) -> str:
        value = "" if self.action is None or self.action.value is None else f" = {self.action.value}"
        return f"{self.reference}{value}: {self.text}"
