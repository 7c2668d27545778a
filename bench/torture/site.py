"""Site of a scene as files: site.yaml, map.yaml and the SCL file for our gateway, scene.json for every other.

TORTURELD0 / GGIO1 . AnIn1, AnIn2 ... (mag.f, q, t) and Ind1, Ind2 ... (stVal, q, t), in the order of the scene's points
"""

import json
from pathlib import Path
from typing import Any, Final

from bench.torture import commands
from bench.torture.frames import OBIS
from bench.torture.scenes import ADAM, BITS, READOUT, SERIAL, TEXT, Point, RelayPoint, Scene

IED: Final = "TORTURE"
DOMAIN: Final = "TORTURELD0"
BAUDRATE: Final = 115_200


def write(folder: Path, scene: Scene, address: str) -> None:
    """The files; `address` is the scene's line, a path or HOST:PORT."""
    points = scene.points()
    (folder / "site.yaml").write_text(_yaml(_site(scene, address)), encoding="utf-8")
    (folder / "map.yaml").write_text(_yaml({"points": _rows(scene)}), encoding="utf-8")
    (folder / "torture.icd").write_text(icd(points, relay=scene.relay is not None), encoding="utf-8")
    (folder / "scene.json").write_text(json.dumps(described(scene, address), indent=1), encoding="utf-8")


def _yaml(whole: dict[str, Any]) -> str:
    """JSON is YAML."""
    return json.dumps(whole, indent=1) + "\n"


def _device(point: Point) -> str:
    return f"unit{point.block.unit}"


def _name(point: Point) -> str:
    return f"{_device(point)}.{point.name}"


def _rows(scene: Scene) -> dict[str, Any]:
    rows: dict[str, Any] = {one.reference: _name(one) for one in scene.points()}
    if scene.relay is not None:
        status = {"from": "unit1.relay"} if scene.relay.read else {}
        rows[commands.REFERENCE] = {**status, "command": "unit1.relay"}
    return rows


def _site(scene: Scene, address: str) -> dict[str, Any]:
    devices: dict[str, Any] = {}
    for point in scene.points():
        device = devices.setdefault(_device(point), _device_keys(scene, point.block.unit))
        device["points"][point.name] = _source(scene, point)
    if scene.relay is not None:
        status = {"read": "coil 0 bool"} if scene.relay.read else {}
        devices["unit1"]["points"]["relay"] = {**status, "write": "coil 0 bool"}
    ieds = {IED: {"scl": "torture.icd", "map": "map.yaml", "listen": "127.0.0.1:0"}}
    return {"site": "torture", "ieds": ieds, "lines": {"line1": _line(scene, address)}, "devices": devices}


def _line(scene: Scene, address: str) -> dict[str, Any]:
    keys: dict[str, Any] = {"protocol": scene.protocol}
    if scene.protocol == READOUT:
        return keys | {"port": address, "baudrate": 9600, "data_bits": 8, "parity": "none", "fixed_baudrate": True}
    if scene.protocol in SERIAL:
        return keys | {"port": address, "baudrate": BAUDRATE}
    host, _, port = address.rpartition(":")
    return keys | {"host": host, "port": int(port)}


def _device_keys(scene: Scene, unit: int) -> dict[str, Any]:
    keys: dict[str, Any] = {
        "line": "line1", "unit": unit, "every": f"{scene.every_ms}ms", "timeout": f"{scene.timeout_ms}ms",
        "retries": scene.retries, "stale_after": f"{scene.stale_ms}ms", "points": {},
    }  # fmt: skip
    if scene.protocol == READOUT:
        return {**keys, "address": str(unit), **scene.keys}
    return keys | _fixed(scene)


def _fixed(scene: Scene) -> dict[str, Any]:
    """Device keys: no two blocks are read as one."""
    if scene.protocol in (TEXT, ADAM):
        return dict(scene.keys)
    return {"max_registers": 30 if scene.blocks[0].table not in BITS else 100, **scene.keys}


def _source(scene: Scene, point: Point) -> dict[str, Any]:
    if scene.protocol == TEXT:
        return {"request": f"V?{point.address}\n", "reply": "(?P<value>[-+0-9.]+)", "value": "value"}
    if scene.protocol == ADAM:
        return {"read": f"input {point.address} float32"}
    if scene.protocol == READOUT:
        code, unit = OBIS[point.address]
        return {"obis": code, "unit": unit}
    kind = "bool" if point.block.table in BITS else "float32"
    return {"read": f"{point.block.table} {point.address} {kind}"}


def described(scene: Scene, address: str) -> dict[str, Any]:
    """The scene for a program that knows nothing of this one."""
    blocks = [
        {
            "unit": block.unit, "table": block.table, "address": block.address, "count": block.count * block.width,
            "points": [
                {"name": _name(one), "address": one.address, "reference": one.reference, "item": f"{DOMAIN}/{one.item}"}
                for one in scene.points() if one.block == block
            ],
        }
        for block in scene.blocks
    ]  # fmt: skip
    return {
        "scene": scene.name, "protocol": scene.protocol, "address": address, "baudrate": BAUDRATE, "every_ms": scene.every_ms,
        "timeout_ms": scene.timeout_ms, "retries": scene.retries, "close_after": bool(scene.keys.get("close_after")),
        "blocks": blocks, "relay": None if scene.relay is None else _relay(scene.relay),
    }  # fmt: skip


def _relay(relay: RelayPoint) -> dict[str, Any]:
    return {"unit": 1, "table": "coil", "address": 0, "read": relay.read, "reference": commands.REFERENCE}


def icd(points: list[Point], *, relay: bool = False) -> str:
    """The SCL file."""
    objects = "".join(f'<DO name="{do}" type="{"SPS" if fc == "ST" else "MV"}"/>\n' for _, fc, do in _parts(points))
    return _SCL.format(ied=IED, objects=objects + '<DO name="SPCSO1" type="SPC"/>\n' * relay)


def _parts(points: list[Point]) -> list[list[str]]:
    return [one.item.split("$") for one in points]


_SCL: Final = """<?xml version="1.0" encoding="UTF-8"?>
<SCL xmlns="http://www.iec.ch/61850/2003/SCL" version="2007" revision="B" release="4">
<Header id="torture"/>
<IED name="{ied}"><AccessPoint name="AP1"><Server><Authentication none="true"/><LDevice inst="LD0">
<LN0 lnClass="LLN0" inst="" lnType="LLN0"/>
<LN lnClass="GGIO" inst="1" lnType="GGIO"/>
</LDevice></Server></AccessPoint></IED>
<DataTypeTemplates>
<LNodeType id="LLN0" lnClass="LLN0"><DO name="Beh" type="ENS"/></LNodeType>
<LNodeType id="GGIO" lnClass="GGIO"><DO name="Beh" type="ENS"/>
{objects}</LNodeType>
<DOType id="ENS" cdc="ENS"><DA name="stVal" fc="ST" bType="Enum" type="Beh" dchg="true"/>
<DA name="q" fc="ST" bType="Quality" qchg="true"/><DA name="t" fc="ST" bType="Timestamp"/></DOType>
<DOType id="MV" cdc="MV"><DA name="mag" fc="MX" bType="Struct" type="AV" dchg="true"/>
<DA name="q" fc="MX" bType="Quality" qchg="true"/><DA name="t" fc="MX" bType="Timestamp"/></DOType>
<DOType id="SPS" cdc="SPS"><DA name="stVal" fc="ST" bType="BOOLEAN" dchg="true"/>
<DA name="q" fc="ST" bType="Quality" qchg="true"/><DA name="t" fc="ST" bType="Timestamp"/></DOType>
<DOType id="SPC" cdc="SPC"><DA name="stVal" fc="ST" bType="BOOLEAN" dchg="true"/>
<DA name="q" fc="ST" bType="Quality" qchg="true"/><DA name="t" fc="ST" bType="Timestamp"/>
<DA name="ctlModel" fc="CF" bType="Enum" type="CtlModel"><Val>direct-with-normal-security</Val></DA>
<DA name="Oper" fc="CO" bType="Struct" type="Oper"/></DOType>
<DAType id="Oper"><BDA name="ctlVal" bType="BOOLEAN"/><BDA name="origin" bType="Struct" type="Originator"/>
<BDA name="ctlNum" bType="INT8U"/><BDA name="T" bType="Timestamp"/><BDA name="Test" bType="BOOLEAN"/>
<BDA name="Check" bType="Check"/></DAType>
<DAType id="Originator"><BDA name="orCat" bType="Enum" type="OrCat"/><BDA name="orIdent" bType="Octet64"/></DAType>
<DAType id="AV"><BDA name="f" bType="FLOAT32"/></DAType>
<EnumType id="CtlModel"><EnumVal ord="0">status-only</EnumVal><EnumVal ord="1">direct-with-normal-security</EnumVal></EnumType>
<EnumType id="OrCat"><EnumVal ord="0">not-supported</EnumVal><EnumVal ord="3">remote-control</EnumVal></EnumType>
<EnumType id="Beh"><EnumVal ord="1">on</EnumVal><EnumVal ord="2">blocked</EnumVal><EnumVal ord="3">test</EnumVal>
<EnumVal ord="4">test/blocked</EnumVal><EnumVal ord="5">off</EnumVal></EnumType>
</DataTypeTemplates></SCL>
"""
