"""A user's test file that uses all of the plugin; tests/system/test_users_tests.py runs it, and expects its last test to fail."""

import pytest

from bus.quality import GOOD


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


def test_that_fails(mms):
    mms.wait("MAIN/LLN0.NamPlt.vendor", "nobody", within=0)
