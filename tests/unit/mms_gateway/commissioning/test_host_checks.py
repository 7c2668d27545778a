"""Checks of `doctor` on made facts: each fault once, with the command that helps."""

from dataclasses import replace

import pytest

from bus.clock import UNKNOWN, ClockState
from bus.messages import ConditionState
from mms_gateway.commissioning.host_checks import Facts, Level, Line, Port, UnitAnswer, examine

SOUND = Facts(
    python=(3, 12),
    versions={"mms-gateway": "1.0"},
    clock=ClockState(synchronized=True, error_ns=1000),
    state_dir="state",
    free_octets=5 << 30,
    user="ann",
    groups=frozenset({"ann"}),
    low_ports_from=1024,
    is_root=False,
    listens=(("CAB", 10102),),
    ports=(Port("rs", "/dev/serial/by-path/x", serial=True, unsolicited=0, units=(UnitAnswer("m", 3, 3, "answers"),)),),
)


def complaints(facts: Facts) -> list[Line]:
    return [line for line in examine(facts) if line.level is not Level.OK]


def with_port(**facts: object) -> Facts:
    return replace(SOUND, ports=(replace(SOUND.ports[0], **facts),))  # type: ignore[arg-type]


def test_a_sound_host_has_nothing_to_complain_of() -> None:
    assert [line.what for line in examine(SOUND)] == [
        "Python 3.12; mms-gateway 1.0",
        "the clock is synchronized",
        "5120 MiB free for state",
        "CAB may listen on port 10102",
        "rs: /dev/serial/by-path/x can be opened",
        "rs: m, unit 3: answers",
    ]


FREE_CLOCK = "start chronyd with `rtcsync`, ntpd or systemd-timesyncd; without, stamps say clockNotSynchronized"
ROOM = "buffered reports and logs are kept there: make room, or name another folder with --state-dir"
LOW = "`sudo sysctl net.ipv4.ip_unprivileged_port_start=102`, or another port: `--mms-port CAB=10102`"


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        (
            replace(SOUND, python=(3, 10)),
            Line(
                Level.FAIL,
                "Python 3.10, expected 3.11 or newer",
                "install a newer one, and the gateway with it",
            ),
        ),
        (replace(SOUND, clock=UNKNOWN), Line(Level.WARN, "the clock is not synchronized", FREE_CLOCK)),
        (
            replace(SOUND, clock=ClockState(synchronized=True, error_ns=50_000_000)),
            Line(Level.WARN, "the clock may be 50 ms off", "a nearer time source; see `chronyc tracking`"),
        ),
        (
            replace(SOUND, clock=ClockState(synchronized=True, failed=True)),
            Line(
                Level.FAIL,
                "the kernel says that its clock has failed",
                "look at `adjtimex -p` and the host's log",
            ),
        ),
        (replace(SOUND, free_octets=100 << 20), Line(Level.WARN, "100 MiB free for state", ROOM)),
        (replace(SOUND, free_octets=1 << 20), Line(Level.FAIL, "1 MiB free for state", ROOM)),
        (
            replace(SOUND, listens=(("CAB", 102),)),
            Line(Level.FAIL, "CAB: ann may not listen on port 102", LOW),
        ),
        (
            with_port(exists=False),
            Line(
                Level.FAIL,
                "rs: no port /dev/serial/by-path/x",
                "is the adapter plugged in? `ls -l /dev/serial/by-path` shows those that are",
            ),
        ),
        (
            with_port(allowed=False, group="dialout"),
            Line(
                Level.FAIL,
                "rs: ann may not open /dev/serial/by-path/x, group dialout",
                "`sudo usermod -aG dialout ann`, then log in again",
            ),
        ),
        (
            replace(with_port(allowed=False, group="dialout"), groups=frozenset({"dialout"})),
            Line(
                Level.FAIL,
                "rs: ann may not open /dev/serial/by-path/x, group dialout",
                "log in again: ann has joined dialout since",
            ),
        ),
        (
            with_port(path="/dev/ttyUSB0", by_path="/dev/serial/by-path/y"),
            Line(
                Level.WARN,
                "rs: /dev/ttyUSB0 is a name that may move",
                "`port: /dev/serial/by-path/y` in site.yaml stays the same when adapters are plugged in another order",
            ),
        ),
        (
            with_port(latency_ms=16, latency_file="/sys/l"),
            Line(
                Level.WARN,
                "rs: the adapter waits 16 ms with what it has received",
                "`echo 1 | sudo tee /sys/l`",
            ),
        ),
        (
            with_port(fault="could not lock", units=()),
            Line(Level.FAIL, "rs: could not lock", "is another program using it? `fuser -v` shows who"),
        ),
        (
            with_port(unsolicited=12),
            Line(
                Level.FAIL,
                "rs: 12 octets came before anything was asked: another master talks",
                "one line has one master: take the other one off, or listen through it",
            ),
        ),
        (
            with_port(echo=True),
            Line(
                Level.WARN,
                "rs: what is sent comes back: the adapter echoes",
                "it is stripped, and costs time: switch the receiver off while sending (RE with DE)",
            ),
        ),
        (
            with_port(units=(UnitAnswer("m", 3, 5, "unit 5 answers"),)),
            Line(
                Level.FAIL,
                "rs: m, unit 3: unit 5 answers instead",
                "`unit: 5` in site.yaml, or set the device's own address",
            ),
        ),
        (
            with_port(units=(UnitAnswer("m", 3, None, "no answer"),)),
            Line(
                Level.FAIL,
                "rs: m, unit 3, no answer",
                "unit, baud rate, parity, A and B exchanged, termination: `mms-gateway scan` shows who answers",
            ),
        ),
    ],
)
def test_one_fault_is_one_complaint_with_what_helps(facts: Facts, line: Line) -> None:
    assert complaints(facts) == [line]


def test_root_may_listen_anywhere() -> None:
    assert complaints(replace(SOUND, listens=(("CAB", 102),), is_root=True)) == []


def test_a_line_that_the_gateway_holds_is_left_alone() -> None:
    facts = with_port(held=True, units=(), unsolicited=None)
    assert examine(facts)[-1] == Line(Level.OK, "rs: held by the running gateway, nothing was asked")


def test_a_condition_that_the_running_gateway_has_seen_is_a_warning_and_no_identity_is_none() -> None:
    late = ConditionState("late-answers", 1_710_676_800 * 10**9, 3, "unit 1: 900 ms after its request")
    silence = ConditionState("no-identity", late.since_ns, 8, "8 of 9")
    found = examine(with_port(held=True, conditions=(silence, late), units=()))
    shown = [(line.level, line.what) for line in found if "since" in line.what]
    assert shown == [
        (Level.OK, "rs: no-identity since 2024-03-17T12:00:00Z, 8 times: 8 of 9"),
        (Level.WARN, "rs: late-answers since 2024-03-17T12:00:00Z, 3 times: unit 1: 900 ms after its request"),
    ]
