"""`mms-gateway sunspec` against a device on a loopback port."""

import socket
from pathlib import Path

import pytest

from mms_gateway.cli import main
from tests.support.sunspec_device import UNIT, device, served


def test_a_device_becomes_a_profile_beside_the_site(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "devices" / "pv.yaml"
    with served(device()) as port:
        address = f"127.0.0.1:{port}"
        assert main(["sunspec", address, "--unit", str(UNIT), "--models", "203", "--output", str(output)]) == 0
    text = output.read_text(encoding="utf-8")
    assert text.startswith(f"# SunSpec models of {address}, unit {UNIT}, as it showed them: SunS at 40000, then\n")
    assert "identify: {read: holding 40217 uint32, equals: 0x00cb0069}\n" in text
    assert capsys.readouterr() == ("", "")


def test_a_device_may_have_an_address_of_ipv6(capsys: pytest.CaptureFixture[str]) -> None:
    with served(device(), "::1") as port:
        assert main(["sunspec", f"[::1]:{port}", "--unit", str(UNIT)]) == 0
    assert capsys.readouterr().out.startswith(f"# SunSpec models of [::1]:{port}, unit {UNIT}, as it showed them: ")
    assert main(["sunspec", f"[::1]:{port}"]) == 1
    assert capsys.readouterr().err == f"mms-gateway: [::1]:{port}: Connection refused\n"


def test_without_a_file_the_profile_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with served(device(50000)) as port:
        assert main(["sunspec", f"127.0.0.1:{port}", "--unit", str(UNIT)]) == 0
    assert "SunS at 50000, then\n" in capsys.readouterr().out


def test_another_unit_is_no_sunspec_device(capsys: pytest.CaptureFixture[str]) -> None:
    with served(device()) as port:
        assert main(["sunspec", f"127.0.0.1:{port}"]) == 1
    expected = "mms-gateway: no SunSpec device: neither 40000, 50000 nor 0 shows SunS (0x5375 0x6e53)\n"
    assert capsys.readouterr().err == expected


def test_a_file_that_may_have_been_edited_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "pv.yaml"
    output.write_text("edited", encoding="utf-8")
    assert main(["sunspec", "127.0.0.1:1", "--output", str(output)]) == 2
    assert output.read_text(encoding="utf-8") == "edited"
    expected = f"mms-gateway: {output} is there already, and may have been edited: name another file\n"
    assert capsys.readouterr().err == expected


def test_what_is_no_address_and_who_does_not_answer_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sunspec", "127.0.0.1:port"]) == 2
    assert capsys.readouterr().err == "mms-gateway: `127.0.0.1:port` is no address, expected HOST or HOST:PORT\n"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert main(["sunspec", f"127.0.0.1:{port}", "--timeout", "0.05"]) == 1
        assert capsys.readouterr().err == f"mms-gateway: 127.0.0.1:{port}: timed out\n"
    assert main(["sunspec", f"127.0.0.1:{port}"]) == 1
    assert capsys.readouterr().err == f"mms-gateway: 127.0.0.1:{port}: Connection refused\n"


@pytest.mark.parametrize("words", [["--unit", "256"], ["--timeout", "0"], ["--models", "meter"]])
def test_what_no_device_can_be_asked_is_wrong_usage(words: list[str]) -> None:
    assert main(["sunspec", "127.0.0.1", *words]) == 64
