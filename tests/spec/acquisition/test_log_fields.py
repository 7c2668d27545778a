"""JSON log lines of a worker say by fields which line and which device they are about."""

import asyncio
from pathlib import Path

from acquisition.drivers.device_side import Fault
from acquisition.drivers.registry import by_protocol
from acquisition.line_task import LineTask
from acquisition.simulate.lines import TcpLine
from acquisition.worker import Worker
from mapping.plan import DevicePlan, LinePlan, Plan, WorkerPlan, sealed
from tests.support.field import Field, meter
from tests.support.log_lines import json_log, objects


def line_plan(name: str, device: DevicePlan, port: int) -> LinePlan:
    return LinePlan(name, "modbus-tcp", {"host": "127.0.0.1", "port": port}, (device,))


def test_two_lines_at_once_log_each_its_own_devices() -> None:
    async def scenario() -> None:
        plans = [line_plan("a", meter("one", 1, 0), 0), line_plan("b", meter("two", 2, 3), 0)]
        fields = [Field(plan) for plan in plans]
        devices = [next(iter(field.devices.values())) for field in fields]
        servers = [
            TcpLine(plan, by_protocol()[plan.protocol], {one.plan.unit: one})
            for plan, one in zip(plans, devices, strict=True)
        ]
        ports = [int((await server.start())["port"]) for server in servers]
        running = []
        for plan, field, port in zip(plans, fields, ports, strict=True):
            there = line_plan(plan.name, plan.devices[0], port)
            line = LineTask(there, by_protocol()["modbus-tcp"], field.publish, field._commands, field.clock)
            running.append(field.started(line))
        for first, field in zip((0, 3), fields, strict=True):
            await field.until(lambda first=first, field=field: first in field.last)  # type: ignore[misc]
        devices[0].fault = Fault("silent")
        await fields[0].until(lambda: not fields[0].line.device_states()[0].online, 15)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for server in servers:
            await server.stop()

    with json_log("worker.w", worker="w") as text:
        asyncio.run(scenario())
    shown = objects(text, "acquisition.line")
    common = {"process": "worker.w", "worker": "w"}
    assert [one for one in shown if one["line"] == "a"] == [
        {**common, "line": "a", "event": "line a: connected"},
        {**common, "line": "a", "device": "one", "event": "device one: online"},
        {**common, "line": "a", "device": "one", "event": "device one: offline, no answer within 120 ms"},
    ]
    assert [one for one in shown if one["line"] == "b"] == [
        {**common, "line": "b", "event": "line b: connected"},
        {**common, "line": "b", "device": "two", "event": "device two: online"},
    ]


def test_a_switch_to_the_second_path_is_logged_with_its_device(tmp_path: Path) -> None:
    device = meter("one", 1, 0)
    lines = (line_plan("a", device, 1), LinePlan("b", "modbus-tcp", {"host": "127.0.0.1", "port": 1}, (), (device,)))
    plan = sealed(Plan("bench", "", (WorkerPlan("w", lines),), ()))

    async def scenario() -> None:
        worker = Worker(plan, "w", tmp_path)
        worker._paths.failed("one", worker._lines["a"], "no answer within 120 ms")
        worker._endpoint.close()

    with json_log("worker.w", worker="w") as text:
        asyncio.run(scenario())
    event = "device one: by its second path, line b: no answer within 120 ms"
    assert objects(text, "acquisition.worker") == [
        {"process": "worker.w", "worker": "w", "device": "one", "event": event}
    ]
