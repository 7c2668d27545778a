"""Small sites for tests: written into a folder, compiled with the real drivers' settings."""

import re
from pathlib import Path
from typing import Final

from acquisition.drivers.registry import driver_of, protocols
from mapping.block_planning.turnaround import Measured
from mapping.compile import Compiled, compile_site
from mapping.protocols import Framing

SCL = Path(__file__).parents[1] / "cases" / "scl" / "io.icd"

SITE = """\
site: bench
ieds:
  IO: {scl: io.icd, map: map.yaml, listen: "127.0.0.1:0"}
lines:
  lan: {protocol: modbus-tcp, host: 127.0.0.1, port: 1502}
  scale-1: {protocol: serial-ascii, port: /dev/nowhere, baudrate: 9600}
devices:
  io1:
    line: lan
    unit: 2
    points:
      temperature: {read: holding 100 int16, scale: 0.1, unit: degC}
      power:       {read: holding 110 float32 cdab, unit: kW}
      breaker:     {read: discrete 10 bool}
      energy:      {read: input 200 uint32, scale: 10, unit: Wh}
      relay:       {read: coil 20 bool, write: coil 20 bool}
      name:        {read: holding 300 string:4}
"""
FAR_SITE: Final = """\
site: bench
ieds:
  IO: {scl: io.icd, map: map.yaml, listen: "127.0.0.1:0"}
lines:
  far: {protocol: PROTOCOL, host: 127.0.0.1, port: 7345}
devices:
  well:
    line: far
    unit: 3
    points:
      level: {read: input 40 float32, unit: A, min: 0}
"""
FAR_MAP: Final = "points: {LD0/GGIO1.AnIn1: well.level}\nunmapped: [LD0/GGIO1, LD0/MMTR1, LD0/XCBR1]\n"


def far_site(protocol: str, *, port: int = 7345) -> str:
    """site.yaml of one device with one point, on a line over TCP of a protocol that is not ours."""
    return FAR_SITE.replace("PROTOCOL", protocol).replace("7345", str(port))


INPUTS_OF_LINES: Final = 11  # data objects AnIn of the map in docs/lines.md


def with_inputs(count: int) -> str:
    """io.icd with `count` analogue inputs in its GGIO1, each in the unit of what feeds it."""
    more = "".join(f'<DO name="AnIn{number}" type="MV"/>' for number in range(3, count + 1))
    text = re.sub(r'<DOI name="AnIn2">.*?</DOI>', "", SCL.read_text(encoding="utf-8"))
    return text.replace('<DO name="AnIn3" type="MV"/>', more)


def write_site(folder: Path, map_text: str, site_text: str = SITE) -> Path:
    """The folder with site.yaml, map.yaml and io.icd in it."""
    (folder / "site.yaml").write_text(site_text, encoding="utf-8")
    (folder / "map.yaml").write_text(map_text, encoding="utf-8")
    (folder / "io.icd").write_text(SCL.read_text(encoding="utf-8"), encoding="utf-8")
    return folder


def compile_folder(folder: Path) -> Compiled:
    """The site in `folder`, compiled."""
    return compile_site(folder, protocols())


def compile_site_with(folder: Path, measured: Measured) -> Compiled:
    """The site in `folder`, compiled with what was measured of its devices."""
    return compile_site(folder, protocols(), measured=measured)


def framing(protocol: str) -> Framing:
    """The framing of `protocol`, as its driver says it."""
    return driver_of(protocol).protocol.framing


def with_reports(*objects: str) -> str:
    """io.icd with a data set of these analogue inputs of its GGIO1, and the block urcb01 that reports them at once."""
    members = "".join(f'<FCDA ldInst="LD0" lnClass="GGIO" lnInst="1" doName="{one}" fc="MX"/>' for one in objects)
    block = (
        '<ReportControl name="urcb" datSet="All" rptID="all" confRev="1" buffered="false" bufTime="0">'
        '<TrgOps dchg="true" qchg="true"/><OptFields reasonCode="true"/><RptEnabled max="1"/></ReportControl>'
    )
    closed = '<LN0 lnClass="LLN0" inst="" lnType="LLN0"/>'
    opened = f'{closed[:-2]}><DataSet name="All">{members}</DataSet>{block}</LN0>'
    return SCL.read_text(encoding="utf-8").replace(closed, opened)
