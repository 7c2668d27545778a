"""A served IED that goes on with another plan: no rule of the plan before stays behind."""

import asyncio
from pathlib import Path

import pytest

from mapping.plan import Plan
from mms_server.engine import Waiting
from mms_server.field.gateway_server import GatewayServer
from tests.support.engine_client import CLOCK, EngineClient, write_body
from tests.support.sites import SCL, SITE, compile_folder, write_site
from tests.support.wire_data import bits, boolean, single, structure, unsigned

LD = "IOLD0"
COILS = range(1, 5)
POINTS = "".join(f"      coil{one}: {{read: coil {20 + one} bool, write: coil {20 + one} bool}}\n" for one in COILS)
LIMIT = "      limit: {read: holding 120 float32, write: holding 120 float32}\n"
GROUPED = {1: "busbar", 2: "busbar", 3: "feeder", 4: "feeder"}
OBJECTS = "".join(f'<DO name="SPCSO{one}" type="SPC"/>' for one in COILS)
SETTINGS = '<DO name="Limit1" type="ASG"/><DO name="Limit2" type="ASG"/>'
ASG = '<DOType id="ASG" cdc="ASG"><DA name="setMag" fc="SP" bType="Struct" type="Value"/></DOType>'


def plan_of(folder: Path, groups: dict[int, str], settings: tuple[str, ...]) -> Plan:
    rows = [
        f"LD0/GGIO1.SPCSO{one}: {{from: io1.coil{one}, command: {{to: io1.coil{one}"
        + (f", one_of: {groups[one]}" if one in groups else "")
        + "}}"
        for one in COILS
    ]
    rows += [f"LD0/GGIO1.{name}: {{command: io1.limit}}" for name in settings]
    listed = "".join(f"  {row}\n" for row in rows)
    write_site(folder, f"points:\n{listed}unmapped: [LD0/GGIO1, LD0/XCBR1, LD0/MMTR1]\n", SITE + POINTS + LIMIT)
    scl = SCL.read_text(encoding="utf-8").replace('<DO name="SPCSO1" type="SPC"/>', OBJECTS + SETTINGS)
    scl = scl.replace('<DOType id="SPS"', f'{ASG}<DOType id="SPS"').replace(
        '<DA name="ctlModel" fc="CF" bType="Enum" type="CtlModel"/><DA name="Oper"',
        '<DA name="ctlModel" fc="CF" bType="Enum" type="CtlModel"><Val>direct-with-normal-security</Val></DA><DA name="Oper"',
    )
    (folder / "io.icd").write_text(scl, encoding="utf-8")
    compiled = compile_folder(folder)
    assert compiled.plan is not None, [one.headline() for one in compiled.diagnostics]
    return compiled.plan


class Served:
    """One IED that is served with a plan, and what a client finds out of its rules."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.server = GatewayServer(plan, plan.ieds[0], folder / "io.icd", folder, None)
        self.client = EngineClient(self.server._engine)

    def write(self, item: str, octets: bytes) -> Waiting | bytes | None:
        """The answer to a Write, or the verdicts that it waits for."""
        return self.server._engine.request(self.client.client, 1, 0xA5, write_body(LD, (item, octets)), CLOCK.now())

    def refused_beside(self, first: int) -> set[int]:
        """The objects that nobody may operate while `first` is being operated."""
        begun = self.operate(first)
        refused = {one for one in COILS if one != first and not self.done(self.operate(one))}
        assert self.done(begun)
        return refused

    def done(self, waiting: Waiting | bytes | None) -> bool:
        """End an operation well; False if it has not begun."""
        if not isinstance(waiting, Waiting):
            return False
        self.server._engine.finish(waiting, [True], CLOCK.now())
        return True

    def operate(self, number: int) -> Waiting | bytes | None:
        oper = structure(boolean(True), unsigned(1), b"\x91\x08" + bytes(8), boolean(False), bits("00"))
        return self.write(f"GGIO1$CO$SPCSO{number}$Oper", oper)

    def asks_the_field(self, name: str) -> bool:
        """True if a setting goes to the field before it is in force."""
        return isinstance(self.write(f"GGIO1$SP${name}$setMag$f", single(5.0)), Waiting)


AFTER = [
    ({}, ()),
    ({1: "busbar", 2: "busbar"}, ("Limit2",)),
    ({1: "busbar", 3: "busbar", 4: "feeder"}, ("Limit1", "Limit2")),
    (GROUPED, ("Limit1",)),
]


@pytest.mark.parametrize(("groups", "settings"), AFTER)
def test_groups_and_settings_are_those_of_the_plan_that_holds_now(
    tmp_path: Path, groups: dict[int, str], settings: tuple[str, ...]
) -> None:
    def check(served: Served, groups: dict[int, str], settings: tuple[str, ...]) -> None:
        for one in COILS:
            rivals = {other for other in groups if other != one and groups.get(one) == groups[other]}
            assert served.refused_beside(one) == rivals
        assert [name for name in ("Limit1", "Limit2") if served.asks_the_field(name)] == [*settings]

    async def scenario() -> None:
        served = Served(tmp_path, plan_of(tmp_path, GROUPED, ("Limit1",)))
        check(served, GROUPED, ("Limit1",))
        for _ in range(2):
            await served.server.reload(plan_of(tmp_path, groups, settings))
            check(served, groups, settings)
            await served.server.reload(plan_of(tmp_path, GROUPED, ("Limit1",)))
            check(served, GROUPED, ("Limit1",))
        await served.server.stop()

    asyncio.run(scenario())
