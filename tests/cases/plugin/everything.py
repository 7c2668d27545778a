"""A user's test file that uses all of the plugin; tests/system/test_users_tests.py runs it, and expects its last test to fail."""

import pytest

from bus.quality import GOOD, NO_ANSWER, REFUSED


def test_devices_are_known_by_name_and_say_what_they_lack(field):
    assert list(field) == ["main", "solar", "io1", "feeder1", "feeder2", "scale"]
    with pytest.raises(KeyError, match="the site has no device feeder; near it: feeder"):
        field["feeder"]
    with pytest.raises(KeyError, match="feeder1 has no point voltage_l4; near it: voltage_l"):
        field["feeder1"].set(voltage_l4=230.0)
    with pytest.raises(ValueError, match="feeder1: kind broken, expected one of silent late exception"):
        field["feeder1"].fault("broken")


def test_what_is_set_is_in_the_registers(field):
    field["io1"].set(setpoint=1.0, relay2=True)
    assert field["io1"].values["setpoint"] == 1.0
    assert [field["io1"].registers["holding", address] for address in (10, 11)] == [0x3F80, 0]
    assert field["io1"].registers["coil", 1] == 1


def test_the_next_test_finds_every_device_as_new(field):
    assert field["io1"].values["setpoint"] != 1.0
    assert field["io1"].registers["coil", 1] == 0
    assert field["io1"].writes == []


def test_what_a_client_commands_is_written_by_the_gateway(field, mms):
    for name in ("SPCSO1", "SPCSO2", "SPCSO3"):
        assert mms.operate(f"IO/GGIO1.{name}", True)
    assert field["io1"].writes == [("coil", 0, (1,)), ("coil", 1, (1,)), ("coil", 2, (1,))]
    assert mms.operate("IO/GGIO1.AnOut1", 2500.0)
    assert field["io1"].values["setpoint"] == 2.5


def test_a_late_device_is_good_as_long_as_it_answers_in_time(field, mms):
    field["main"].fault("late", ms=100)
    field["main"].set(frequency=49.0)
    mms.wait("MAIN/MMXU1.Hz.mag.f", pytest.approx(49.0), within=5)
    assert mms.read("DEMOMAIN/MMXU1.Hz.q [MX]") == GOOD


def test_several_clients_and_the_gateway_itself(gateway, mms, mms_for):
    other = mms_for("DEMO", timeout=3)
    assert other.read("MAIN/LLN0.NamPlt.vendor") == mms.read("MAIN/LLN0.NamPlt.vendor")
    assert gateway.ports == {"DEMO": gateway.port()}
    assert gateway.status()["site"] == "demo"
    with pytest.raises(KeyError, match="NONE"):
        mms_for("NONE")


def test_a_write_is_waited_for(field, mms):
    assert mms.operate("IO/GGIO1.AnOut1", 2100.0)
    assert field["io1"].wait_written("setpoint", 2.1) == pytest.approx(2.1)
    with pytest.raises(AssertionError, match=r"io1\.setpoint was written as 2\.0999\d+ in 0 s, expected 7\.5"):
        field["io1"].wait_written("setpoint", 7.5, within=0)
    with pytest.raises(AssertionError, match=r"io1\.relay1 was not written in 0 s, expected True"):
        field["io1"].wait_written("relay1", True, within=0)
    with pytest.raises(KeyError, match="io1 has no point relay9; near it: relay"):
        field["io1"].wait_written("relay9", True)


def test_a_device_refuses_some_registers_for_some_requests(field, mms):
    field["io1"].fault("exception", code=4, registers="holding 10-11")
    mms.wait("IO/GGIO1.AnOut1.q", REFUSED, within=5)
    assert mms.read("IO/GGIO1.SPCSO1.q") == GOOD
    with pytest.raises(ValueError, match="io1: no request to io1 is for holding 99"):
        field["io1"].fault("exception", registers="holding 99")
    with pytest.raises(ValueError, match="io1: next: expected at least 1"):
        field["io1"].fault("silent", next=0)
    field["io1"].fault(None)
    mms.wait("IO/GGIO1.AnOut1.q", GOOD, within=5)


def test_a_line_has_faults_of_its_own(field, mms):
    line = field.line("rs485-1")
    line.fault("delay", ms=20)
    line.fault("duplicate", ms=40, share=0.05)
    field["feeder1"].set(frequency=49.0)
    mms.wait("FEED1/MMXU1.Hz.mag.f", pytest.approx(49.0), within=5)
    line.fault(None)
    field["feeder1"].set(frequency=51.0)
    mms.wait("FEED1/MMXU1.Hz.mag.f", pytest.approx(51.0), within=5)
    line.fault("loss", share=1.0)
    mms.wait("FEED1/MMXU1.Hz.q", NO_ANSWER, within=10)


def test_a_line_refuses_what_it_cannot_have(field):
    with pytest.raises(KeyError, match="the site has no line rs485; near it: rs485-1"):
        field.line("rs485")
    with pytest.raises(ValueError, match="rs485-1: the line cannot have mute_connection: it has no connection"):
        field.line("rs485-1").fault("mute_connection")
    with pytest.raises(ValueError, match="rs485-1: kind silent, expected one of duplicate delay queue"):
        field.line("rs485-1").fault("silent")
    with pytest.raises(ValueError, match="rs485-1: share: expected at most 1"):
        field.line("rs485-1").fault("loss", share=2.0)


def test_a_test_leaves_a_line_and_a_device_broken(field, mms):
    field.line("rs485-1").fault("loss", share=1.0)
    field["main"].fault("exception", code=2)
    field["solar"].fault("silent")
    for reference, quality in (("FEED2/MMXU1.Hz.q", NO_ANSWER), ("SOLAR/MMXU1.TotW.q", NO_ANSWER)):
        mms.wait(reference, quality, within=15)
    mms.wait("MAIN/MMXU1.Hz.q", REFUSED, within=15)


def test_the_next_one_finds_them_good_at_once(field, mms):
    for reference in ("FEED1/MMXU1.Hz.q", "FEED2/MMXU1.Hz.q", "SOLAR/MMXU1.TotW.q", "MAIN/MMXU1.Hz.q"):
        assert mms.read(reference) == GOOD


def test_that_fails(mms):
    mms.wait("MAIN/LLN0.NamPlt.vendor", "nobody", within=0)
