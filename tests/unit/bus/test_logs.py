"""The subject of a log line: fields of the OS process, of the task, of the one record, and what the console shows of them."""

import asyncio
import logging

from bus import logs
from tests.support.log_lines import console_log, json_log, objects

LOG = logging.getLogger("acquisition.line")


def test_a_json_line_carries_the_subject_of_its_process_of_its_task_and_its_own() -> None:
    with json_log("worker.tcp", worker="tcp") as text:
        LOG.info("before")
        with logs.bound(line="lan-1"):
            LOG.info("device %s: online", "feeder1", extra={"device": "feeder1"})
            LOG.warning("port lost")
        LOG.info("after")
    common = {"process": "worker.tcp", "worker": "tcp"}
    assert objects(text, "acquisition.line") == [
        {**common, "event": "before"},
        {**common, "line": "lan-1", "device": "feeder1", "event": "device feeder1: online"},
        {**common, "line": "lan-1", "event": "port lost"},
        {**common, "event": "after"},
    ]


def test_the_field_of_a_record_goes_before_that_of_its_process() -> None:
    with json_log("mms.IED1", ied="IED1", worker="none") as text:
        LOG.warning("worker %s is silent", "tcp", extra={"worker": "tcp"})
    assert [(one["ied"], one["worker"]) for one in objects(text, "acquisition.line")] == [("IED1", "tcp")]


def test_tasks_that_take_turns_keep_their_subjects_apart_and_hand_them_to_tasks_of_theirs() -> None:
    async def said(number: int) -> None:
        LOG.info("%d of a task of its own", number)

    async def task(line: str) -> None:
        with logs.bound(line=line):
            for number in range(3):
                LOG.info("%d", number)
                await asyncio.sleep(0)
            await asyncio.create_task(said(3))

    async def scenario() -> None:
        await asyncio.gather(task("a"), task("b"))
        LOG.info("end")

    with json_log("worker.w") as text:
        asyncio.run(scenario())
    shown = [(one.get("line"), one["event"]) for one in objects(text, "acquisition.line")]
    events = ["0", "1", "2", "3 of a task of its own"]
    assert [one for one in shown if one[0] == "a"] == [("a", event) for event in events]
    assert [one for one in shown if one[0] == "b"] == [("b", event) for event in events]
    assert shown[:2] == [("a", "0"), ("b", "0")]  # they did take turns
    assert shown[-1] == (None, "end")


def test_the_console_shows_the_association_and_the_peer_and_leaves_out_what_the_line_says_already() -> None:
    with console_log("mms.IED1", ied="IED1") as text, logs.bound(worker="tcp", line="lan-1", device="feeder1"):
        LOG.info("associated", extra={"assoc": 3, "peer": "127.0.0.1:50000"})
    (line,) = text.getvalue().splitlines()
    assert line[20:] == " info    mms.IED1       acquisition.line   associated  assoc=3 peer=127.0.0.1:50000"
