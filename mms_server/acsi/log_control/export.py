"""Event export: the entries of a log as a file that people open (CSV, RFC 4180; pure).

    events/DEMOIO_IO.csv      time,entry,reference,reason,value
                              2026-01-31T12:00:00.250Z,18fa0c2e4b500000,DEMOIO/GGIO1$ST$SPCSO1,data-change,"[true,""0000000000000"",...]"

One line for each member of an entry, oldest first, the newest entries of the log; `value` is JSON.
"""

import csv
import io
import json
from collections.abc import Sequence
from typing import Final

from mms_server.acsi.reporting.rcb import DCHG, DUPD, INTEGRITY, QCHG
from mms_server.mms.plain import plain, utc_text

ENTRIES: Final = 1000  # of a log, the newest
HEAD: Final = ("time", "entry", "reference", "reason", "value")
_REASONS: Final = {DCHG: "data-change", QCHG: "quality-change", DUPD: "data-update", INTEGRITY: "integrity"}

Row = tuple[bytes, bytes, int]  # reference, Data, reason


def file_name(log: str) -> str:
    """The name of the export of the log `LD/LN$name`."""
    ld, _, name = log.partition("/")
    name = name.removeprefix("LLN0$").replace("$", "_")
    return f"{ld}_{name}.csv"


def lines(entries: Sequence[tuple[int, int, Sequence[Row]]]) -> bytes:
    """The file of `entries`, each with its EntryID, its time in ns since 1970 and its rows."""
    text = io.StringIO()
    written = csv.writer(text)
    written.writerow(HEAD)
    for entry_id, time_ns, rows in entries:
        for reference, data, reason in rows:
            reasons = "+".join(name for bit, name in _REASONS.items() if reason & bit)
            value = json.dumps(plain(data), separators=(",", ":"))
            written.writerow(
                (utc_text(time_ns), f"{entry_id:016x}", reference.decode("ascii", "replace"), reasons, value)
            )
    return text.getvalue().encode("utf-8")
