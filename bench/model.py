"""The model that both servers serve: `measurands` MV in nodes of 100, data sets of 100 and of 1,000, ten report blocks.

BENCHMAIN / GGIO1 ... GGIOn . AnIn1 ... AnIn100 (mag.f, q, t)      26 octets each as Data
LLN0: data sets Set100, Set1000 (as far as there are as many), urcb01 ... urcb10 on the larger one
"""

from typing import Final

IED: Final = "BENCH"
DOMAIN: Final = "BENCHMAIN"
PER_NODE: Final = 100
INSTANCES: Final = 10
SET_SIZES: Final = (100, 1000)


def nodes_of(measurands: int) -> int:
    """How many LNs hold `measurands`."""
    return max(-(-measurands // PER_NODE), 1)


def members(count: int) -> list[str]:
    """The items of the first `count` measurands, as data set members (FCDs)."""
    return [f"GGIO{index // PER_NODE + 1}$MX$AnIn{index % PER_NODE + 1}" for index in range(count)]


def icd(measurands: int) -> str:
    """The SCL file."""
    sets = "".join(_data_set(size) for size in SET_SIZES if size <= measurands)
    reported = max((size for size in SET_SIZES if size <= measurands), default=0)
    block = _RCB.format(set=f"Set{reported}", instances=INSTANCES) if reported else ""
    lns = "".join(f'<LN lnClass="GGIO" inst="{n + 1}" lnType="GGIO"/>\n' for n in range(nodes_of(measurands)))
    dos = "".join(f'<DO name="AnIn{n + 1}" type="MV"/>\n' for n in range(min(PER_NODE, measurands)))
    return _SCL.format(ied=IED, sets=sets, block=block, lns=lns, dos=dos)


def _data_set(size: int) -> str:
    rows = []
    for index in range(size):
        ln, do = index // PER_NODE + 1, index % PER_NODE + 1
        rows.append(f'<FCDA ldInst="MAIN" lnClass="GGIO" lnInst="{ln}" doName="AnIn{do}" fc="MX"/>\n')
    return f'<DataSet name="Set{size}">\n{"".join(rows)}</DataSet>\n'


_RCB = """<ReportControl name="urcb" rptID="urcb" datSet="{set}" confRev="1" bufTime="0" buffered="false" indexed="true">
<TrgOps dchg="true" qchg="true" gi="true"/><OptFields seqNum="true" timeStamp="true" dataSet="true" reasonCode="true"/>
<RptEnabled max="{instances}"/></ReportControl>
"""

_SCL = """<?xml version="1.0" encoding="UTF-8"?>
<SCL xmlns="http://www.iec.ch/61850/2003/SCL" version="2007" revision="B" release="4">
<Header id="bench"/>
<IED name="{ied}"><Services><DynAssociation max="1000"/><ReportSettings/></Services>
<AccessPoint name="AP1"><Server><Authentication/><LDevice inst="MAIN">
<LN0 lnClass="LLN0" inst="" lnType="LLN0">
{sets}{block}</LN0>
{lns}</LDevice></Server></AccessPoint></IED>
<DataTypeTemplates>
<LNodeType id="LLN0" lnClass="LLN0"><DO name="Beh" type="ENS"/></LNodeType>
<LNodeType id="GGIO" lnClass="GGIO"><DO name="Beh" type="ENS"/>
{dos}</LNodeType>
<DOType id="ENS" cdc="ENS"><DA name="stVal" fc="ST" bType="Enum" type="Beh" dchg="true"/>
<DA name="q" fc="ST" bType="Quality" qchg="true"/><DA name="t" fc="ST" bType="Timestamp"/></DOType>
<DOType id="MV" cdc="MV"><DA name="mag" fc="MX" bType="Struct" type="AV" dchg="true"/>
<DA name="q" fc="MX" bType="Quality" qchg="true"/><DA name="t" fc="MX" bType="Timestamp"/></DOType>
<DAType id="AV"><BDA name="f" bType="FLOAT32"/></DAType>
<EnumType id="Beh"><EnumVal ord="1">on</EnumVal><EnumVal ord="2">blocked</EnumVal><EnumVal ord="3">test</EnumVal>
<EnumVal ord="4">test/blocked</EnumVal><EnumVal ord="5">off</EnumVal></EnumType>
</DataTypeTemplates></SCL>
"""
