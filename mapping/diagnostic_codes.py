"""The table of diagnostic codes: severity, meaning, an example and its cure. docs/diagnostics.md and `check --explain` print it.

A code that is not here cannot be emitted (mapping/diagnostics.py), and none is renamed: filters of users name them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final


class Severity(str, Enum):
    """An error prevents running; a warning leaves its part out, or says what it costs; a note is good to know."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Code:
    """One row: `example` is a fragment of `file` that brings the finding, `cure` a sentence about the remedy."""

    name: str
    severities: tuple[Severity, ...]
    meaning: str
    file: str
    example: str
    cure: str


SITE: Final = "site.yaml"
MAP: Final = "map.yaml"
PROFILE: Final = "devices/meter.yaml"
SCL: Final = "meter.icd"
COMMAND: Final = "command line"


def _error(name: str, meaning: str, file: str, example: str, cure: str) -> Code:
    return Code(name, (Severity.ERROR,), meaning, file, example, cure)


def _warning(name: str, meaning: str, file: str, example: str, cure: str) -> Code:
    return Code(name, (Severity.WARNING,), meaning, file, example, cure)


def _note(name: str, meaning: str, file: str, example: str, cure: str) -> Code:
    return Code(name, (Severity.NOTE,), meaning, file, example, cure)


_FILES: Final = (
    _error(
        "ambiguous-number",
        "YAML 1.1 reads a number here, and YAML 1.2 reads another one or a text.",
        SITE,
        "devices: {io: {unit: 02}}",
        "Write it without the leading zero, or in quotes if it is text.",
    ),
    _error(
        "bad-number",
        "The number is larger than any that can be meant.",
        SITE,
        "devices: {io: {points: {tap: {scale: 1e999}}}}",
        "Correct the exponent or the digits.",
    ),
    _error(
        "bad-range",
        "A key such as `NAME[1..40]`, or a number `{n}` within it, is not written as a range.",
        SITE,
        'devices: {"io[1-3]": {line: rs, unit: "{n}", profile: meter, every: 5s}}',
        "Write `io[1..3]`, with at most 1000 members and the lower number first.",
    ),
    _error(
        "duplicate-key",
        "A mapping has one key twice, or a range makes a name that is there already.",
        SITE,
        "devices: {io: {unit: 2, unit: 3}}",
        "Keep one of the two.",
    ),
    _error(
        "file-empty",
        "The file holds nothing but comments.",
        MAP,
        "# rows come later",
        "Write at least `points: {}`.",
    ),
    _error(
        "file-not-utf8",
        "The file has octets that are not UTF-8.",
        SITE,
        "site: Stra\\xdfe",
        "Save the file as UTF-8.",
    ),
    _error(
        "file-too-large",
        "The file is larger than 16 MiB.",
        MAP,
        "points: {...}  # 17 MiB of rows",
        "Use ranges such as `feeder[1..40]`, or divide the site.",
    ),
    _error(
        "file-unreadable",
        "The file is there and the operating system does not let it be read.",
        COMMAND,
        "chmod 000 site.yaml && mms-gateway check site.yaml",
        "Give the user of the gateway the right to read it.",
    ),
    _error(
        "yaml-key",
        "A key is a list or a mapping.",
        SITE,
        "? [io, meter]\n: {unit: 2}",
        "Write each key as a plain word.",
    ),
    _error(
        "yaml-merge",
        "`<<` takes over something that is not a mapping.",
        SITE,
        "devices: {io: {<<: 5}}",
        "Name a mapping, as `<<: *feeder`.",
    ),
    _error(
        "yaml-syntax",
        "The file is not YAML, or holds a second document.",
        SITE,
        "devices: [io, meter",
        "Close the bracket or quote; indent with spaces; keep one document in a file.",
    ),
    _error(
        "yaml-tag",
        "A value has a tag; tags are not used here and nothing is run that one names.",
        SITE,
        "site: !!python/name:os.system bench",
        "Take the tag away.",
    ),
    _error(
        "yaml-too-deep",
        "Lists or mappings stand in each other more than 24 deep.",
        SITE,
        "site: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
        "Write it flatter.",
    ),
)

_KEYS: Final = (
    _error(
        "bad-name",
        "A name has characters other than letters, digits, `_` and `-`, or begins with a digit.",
        SITE,
        'devices: {"feeder 1": {line: lan, unit: 1, profile: meter, every: 5s}}',
        "Write `feeder_1`.",
    ),
    _error(
        "bad-value",
        "A value is of the wrong type, out of its range, or does not go with another key.",
        SITE,
        "devices: {io: {every: 5}}",
        "The message says what is expected: here a duration, as `5s`.",
    ),
    _error(
        "missing-key",
        "A key that is required is absent.",
        SITE,
        "devices: {spare: {unit: 3, profile: meter, every: 5s}}",
        "Add the key, here `line:`.",
    ),
    _error(
        "unknown-key",
        "The format has no key of this name.",
        SITE,
        "devices: {io: {retrys: 2}}",
        "Write the key as mapping/FORMAT.md has it, here `retries`.",
    ),
)

_SITE: Final = (
    _error(
        "bad-point",
        "A point asks for something that its line, its device or another point cannot give.",
        SITE,
        'devices: {io: {points: {greeting: {request: "N?", reply: "(?P<n>.*)", value: n}}}}',
        "Write the point as its protocol reads it: a register on a Modbus line.",
    ),
    _error(
        "circle",
        "A computed point depends on itself.",
        SITE,
        "devices: {io: {points: {a: {expr: b + tap}, b: {expr: a + tap}}}}",
        "Take one of the points out of the circle.",
    ),
    _error(
        "expression",
        "An expression is not in the language of `expr:` and `allow_if:`, or its types do not fit.",
        SITE,
        "devices: {io: {points: {power: {expr: setpoint ** 2, unit: W}}}}",
        "Use points, numbers, `+ - * /`, comparisons, `and`, `or` and `not`.",
    ),
    _error(
        "no-file",
        "A file that site.yaml names is not there.",
        SITE,
        "ieds: {M: {map: amp.yaml}}",
        "Correct the name; it is relative to the folder of site.yaml.",
    ),
    _error(
        "no-folder",
        "The folder of files for clients is not there.",
        SITE,
        "ieds: {M: {files: {folder: exprots}}}",
        "Make the folder, or correct its name.",
    ),
    _error(
        "not-together",
        "Points that must come in one request cannot: they differ in table or period, lie too far apart, or, on an `exact` "
        "device, have between them what no point names.",
        SITE,
        "devices:\n  io:\n    points:\n      a: {read: holding 500 int16, together: block}\n"
        "      b: {read: holding 700 int16, together: block}",
        "Give them the same table and `every:`, within the registers of one request.",
    ),
    _error(
        "other-worker",
        "Points or paths that need each other are polled by two workers.",
        SITE,
        "devices: {io: {points: {a: {expr: setpoint + meter.frequency}}}}",
        "Give both lines the same `worker:`.",
    ),
    _warning(
        "overloaded",
        "A line has more requests than time: values come later than `every:` asks for.",
        SITE,
        "devices: {io: {every: 50ms}}",
        "Choose a longer `every:`, a higher baud rate, or fewer points; `mms-gateway plan` shows the load.",
    ),
    _error(
        "port-taken",
        "Two lines have the same serial port.",
        SITE,
        "lines: {rs2: {protocol: modbus-rtu, port: /dev/nowhere, baudrate: 9600}}",
        "Put the devices on one line, or correct the port.",
    ),
    _error(
        "profile-cycle",
        "The `base:` of a profile leads back to it, or the chain of bases is too long.",
        PROFILE,
        "base: meter",
        "Take `base:` away, or name another profile.",
    ),
    _note(
        "replies-alike",
        "Two questions of one line of text have replies that can be taken for each other's: only silence tells them apart.",
        SITE,
        "lines: {text: {protocol: serial-ascii, port: /dev/text}}\n"
        "devices:\n  bath:\n    line: text\n    points:\n"
        '      bath: {request: "PV?", reply: "(?P<v>[0-9.]+)", value: v}\n'
        '      goal: {request: "SP?", reply: "(?P<v>[0-9.]+)", value: v}',
        "Give the profile a `resync:`, a question whose reply no other one matches, or make the expressions narrower.",
    ),
    _error(
        "reserved-point",
        "A point has the name of one that the gateway makes for every device.",
        SITE,
        "devices: {io: {points: {online: {read: discrete 11 bool}}}}",
        "Choose another name.",
    ),
    _warning(
        "stale-before-due",
        "Values become invalid before the next ones can come.",
        SITE,
        "devices: {io: {stale_after: 2s}}",
        "Make `stale_after:` longer than `every:`.",
    ),
    Code(
        "unknown-device",
        (Severity.ERROR, Severity.WARNING),
        "No device has this name: an error in map.yaml and in expressions, a warning in a file of simulated faults, "
        "whose entry is passed over.",
        MAP,
        "points: {LD0/GGIO1.Ind1: oi.contact}",
        "Correct the name, or add the device to site.yaml.",
    ),
    _error(
        "unknown-line",
        "A device, or an entry of a file of simulated faults, names a line that site.yaml does not have.",
        SITE,
        "devices: {io: {line: rs485}}",
        "Correct the name, or add the line.",
    ),
    _error(
        "unknown-point",
        "The device has no point of this name.",
        MAP,
        "points: {LD0/GGIO1.Ind1: io.contakt}",
        "Correct the name, as `device.point`, or add the point.",
    ),
    _error(
        "unknown-profile",
        "No device profile has this name or alias.",
        SITE,
        "devices: {meter: {profile: metre}}",
        "Take a name of docs/devices.md, or write devices/NAME.yaml beside site.yaml.",
    ),
    _error(
        "unknown-protocol",
        "No driver speaks this protocol.",
        SITE,
        "lines: {rs: {protocol: modbus-rut}}",
        "Correct the name; `mms-gateway schema site` lists the protocols.",
    ),
)

_MAP: Final = (
    _error(
        "bad-reference",
        "The left side of a row is not a reference as `LD/LN.DO` or `LD/LN`.",
        MAP,
        'points: {"LD0/GGIO1.Ind1 [ST]": io.contact}',
        "Write the reference without its functional constraint.",
    ),
    _error(
        "bad-row",
        "Keys of a row do not go with what the row feeds.",
        MAP,
        "points: {LD0/GGIO1.Ind1: {from: io.contact, deadband: 1}}",
        "Take the key away that the message names.",
    ),
    _error(
        "fed-twice",
        "Two rows feed the same attribute.",
        MAP,
        "points: {MLD0/MMXU1: meter}",
        "Keep one of the rows; a row for a data object may replace what a node row proposes.",
    ),
    _error(
        "no-control",
        "A row commands something that the SCL file does not let clients control.",
        MAP,
        "points: {LD0/GGIO1.SPCSO2: {from: io.relay, command: io.relay}}",
        "Take `command:` away, or give the object another ctlModel.",
    ),
    _error(
        "no-leaf",
        "A row names a structure or an array and not one attribute.",
        MAP,
        "points: {LD0/MMXU1.TotW.mag: meter.total_active_power}",
        "Name the data object, or the attribute in the structure.",
    ),
    _warning(
        "no-pulse",
        "Two outputs command one object, and nothing sets them back: after two commands both are on.",
        MAP,
        "points: {LD0/GGIO1.SPCSO1: {from: io.contact, command: {to: io.relay, off: io.horn}}}",
        "Give `pulse:`, or `proof:` if the device sets its outputs back itself.",
    ),
    _error(
        "no-value",
        "The data object has no value of its own that a point can feed.",
        MAP,
        "points: {LD0/MMXU1.PhV: meter.voltage_l1}",
        "Name a member, as `PhV.phsA`.",
    ),
    _error(
        "not-readable",
        "A row needs the value of a point that can only be written.",
        MAP,
        "points: {LD0/GGIO1.Ind1: io.horn}",
        "Give the point `read:`, or take another one.",
    ),
    _error(
        "not-writable",
        "A command goes to a point that cannot be written.",
        MAP,
        "points: {LD0/GGIO1.SPCSO1: {from: io.relay, command: {to: io.contact}}}",
        "Give the point `write:`, or take another one.",
    ),
    _error(
        "nothing-proposed",
        "A node row names a device whose profile proposes no point for that class of logical node.",
        MAP,
        "points: {LD0/GGIO1: meter}",
        "Write a row for each data object, or give the points `proposes:`.",
    ),
    _error(
        "own-object",
        "The server computes the value of this object itself.",
        MAP,
        "points: {LD0/LLN0.Mod: io.tap}",
        "Take the row away.",
    ),
    _error(
        "type-mismatch",
        "The type of the point cannot be carried by the attribute.",
        MAP,
        "points: {LD0/GGIO1.Ind1: io.tap}",
        "Give `values:`, or take a point or an attribute of the other type.",
    ),
    _warning(
        "unfed",
        "Process data of a logical node have no source: they stay invalid.",
        MAP,
        "unmapped: [LD0/MHAI1, LD0/GGIO1]",
        "Add a row, or list the object under `unmapped:`.",
    ),
    _error(
        "unit-mismatch",
        "The point and the attribute, or the deadband, measure different quantities.",
        MAP,
        "points: {LD0/MMXU1.TotW: meter.voltage_l1}",
        "Take a point of that quantity, or correct its `unit:`.",
    ),
    _error(
        "unknown-reference",
        "The SCL file has no logical device, node, object or attribute of this name.",
        MAP,
        "points: {LD0/MMXU1.TotWatt: meter.total_active_power}",
        "Write the name as the SCL file has it, here `TotW`.",
    ),
    _error(
        "unknown-unit",
        "The unit of a point is not in the list of units.",
        MAP,
        "# site.yaml has `unit: kilowatt` for io.setpoint\npoints: {LD0/GGIO1.AnOut1: io.setpoint}",
        "Write the symbol, as `kW`.",
    ),
)

_SCL: Final = (
    _warning(
        "enumeration-default",
        "An enumeration has a 0 and does not begin with it, and the file gives no value: the first member is shown.",
        SCL,
        '<EnumType id="Tap"><EnumVal ord="1">raised</EnumVal><EnumVal ord="0">neutral</EnumVal></EnumType>',
        "Give the attribute a `Val`.",
    ),
    _warning(
        "scl-bad-count",
        "The size of an array is neither a number nor an attribute with one; the array is left out.",
        SCL,
        '<SDO name="phsAHar" type="CMV" count="many"/>',
        "Write the number, or the name of the attribute beside it that has it.",
    ),
    _warning(
        "scl-bad-number",
        "A number of the file is none; the default is taken, or the member of the enumeration is left out.",
        SCL,
        '<ReportControl name="brcb01" bufTime="soon"/>',
        "Write a whole number.",
    ),
    _warning(
        "scl-bad-value",
        "A `Val` does not fit the type of its attribute; the default is taken.",
        SCL,
        '<DAI name="stVal"><Val>maybe</Val></DAI>',
        "Write a value of the type, here `true` or `false`.",
    ),
    _warning(
        "scl-cyclic-type",
        "A type contains itself; it is left out there.",
        SCL,
        '<DAType id="Loop"><BDA name="a" bType="Struct" type="Loop"/></DAType>',
        "Correct the name of the type.",
    ),
    _error(
        "scl-doctype",
        "The file has a document type declaration, which SCL does not have and which could make it grow without bound.",
        SCL,
        '<!DOCTYPE SCL [<!ENTITY a "b">]>',
        "Take the declaration away.",
    ),
    _warning(
        "scl-duplicate",
        "Two elements have one name where each must have its own; the second is left out.",
        SCL,
        '<LDevice inst="LD0"/><LDevice inst="LD0"/>',
        "Rename or remove one of them.",
    ),
    _warning(
        "scl-empty-data-set",
        "None of the members of a data set exists.",
        SCL,
        '<DataSet name="Events"><FCDA ldInst="LD9" lnClass="GGIO" fc="ST"/></DataSet>',
        "Correct the members, or remove the data set.",
    ),
    _warning(
        "scl-empty-type",
        "A DAType has no attributes that can be used; it is left out.",
        SCL,
        '<DAType id="Empty"/>',
        "Give it its BDA elements.",
    ),
    _warning(
        "scl-long-name",
        "A name or reference is longer than clients expect; some cut it, some end the association.",
        SCL,
        '<DO name="TotalActivePower" type="MV"/>',
        "Choose a shorter name.",
    ),
    _error(
        "scl-no-scl",
        "The root of the XML file is not SCL.",
        SCL,
        "<html/>",
        "Name the ICD, CID, SCD or IID file.",
    ),
    _error(
        "scl-no-server",
        "No IED of the file has an access point with a server.",
        SCL,
        '<IED name="M"/>',
        "Take a file with `AccessPoint` and `Server`; an SSD file has none.",
    ),
    _error(
        "scl-not-xml",
        "The file is not well-formed XML.",
        SCL,
        "<SCL",
        "Export the file again.",
    ),
    _error(
        "scl-too-large",
        "The file is over 96 MiB or 900,000 elements, or its model has more attributes than are served.",
        SCL,
        "<!-- an SCD file of a whole region -->",
        "Export the IED alone, as a CID file.",
    ),
    _error(
        "scl-unknown-access-point",
        "The IED has no server at the access point that is asked for.",
        SITE,
        "ieds: {M: {access_point: AP2}}",
        "Take one that the note lists, or leave `access_point:` out.",
    ),
    _warning(
        "scl-unknown-btype",
        "An attribute has a basic type that the standard does not know; it is left out.",
        SCL,
        '<DA name="stVal" fc="ST" bType="INT12"/>',
        "Write the bType as IEC 61850-6 has it.",
    ),
    _warning(
        "scl-unknown-fc",
        "An attribute has a functional constraint that the standard does not know; it is left out.",
        SCL,
        '<DA name="stVal" fc="XX" bType="BOOLEAN"/>',
        "Write the functional constraint as IEC 61850-7-2 has it.",
    ),
    _error(
        "scl-unknown-ied",
        "The file has no IED of the name that is asked for.",
        SITE,
        "ieds: {N: {scl: meter.icd, map: map.yaml}}",
        "Write the name of the IED as the file has it.",
    ),
    _warning(
        "scl-unknown-instance",
        "A DOI, SDI or DAI names something that its type does not have; it is left out.",
        SCL,
        '<LN lnClass="MMXU" inst="1" lnType="MMXU"><DOI name="TotWatt"/></LN>',
        "Correct the name, or the type.",
    ),
    _warning(
        "scl-unknown-member",
        "A member of a data set is not in the model; it is left out.",
        SCL,
        '<FCDA ldInst="LD0" lnClass="MMXU" lnInst="1" doName="TotWatt" fc="MX"/>',
        "Correct the names of the FCDA.",
    ),
    _warning(
        "scl-unknown-type",
        "A type that an element names is not among the templates; the element is left out, an enumeration is served as INT8.",
        SCL,
        '<DO name="TotW" type="MV-missing"/>',
        "Add the type, or correct its id.",
    ),
    _error(
        "scl-unreadable",
        "The SCL file cannot be read from the disk.",
        COMMAND,
        "mms-gateway serve nowhere.icd",
        "Correct the path, or the rights of the file.",
    ),
)

_START: Final = (
    _error(
        "files",
        "The folder of files for clients is not there.",
        COMMAND,
        "mms-gateway serve meter.icd --files nowhere",
        "Make the folder, or correct its name.",
    ),
    _error(
        "port",
        "A port cannot be listened on: it is taken, or the user has no right to it.",
        COMMAND,
        "mms-gateway serve meter.icd --port 102",
        "The hint has the command that gives the right or shows who has the port; `--port` takes another.",
    ),
    _error(
        "state",
        "The state folder cannot be used, is in use, or holds the state of a newer version.",
        COMMAND,
        "mms-gateway run site --state-dir /proc/state",
        "Name another folder with `--state-dir`, or install the version that the hint names.",
    ),
    _error(
        "tls",
        "Certificate, key and CA do not make a TLS port: one is missing or cannot be used.",
        COMMAND,
        "mms-gateway serve meter.icd --tls-cert gw.pem",
        "Give `--tls-cert`, `--tls-key` and `--tls-ca`, all three.",
    ),
    _error(
        "unknown-ied",
        "The site has no IED of the name that an option gives.",
        COMMAND,
        "mms-gateway run site --mms-port N=10102",
        "Write the name as `ieds:` of site.yaml has it.",
    ),
)

GROUPS: Final = {
    "Files and YAML": _FILES,
    "Keys and values": _KEYS,
    "Lines, devices and points": _SITE,
    "Rows of map.yaml": _MAP,
    "SCL files": _SCL,
    "When a command starts": _START,
}
"""The codes by the file or the moment that they are about; within a group by their names."""


def _rows() -> Iterator[Code]:
    for group in GROUPS.values():
        yield from group


CODES: Final = {one.name: one for one in _rows()}
