"""A site whose line, MMS server and status page have addresses of IPv6: every command that listens or connects."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bus.endpoint import Endpoint
from mms_gateway.runtime.preflight import fixed
from mms_server.client.errors import MmsError
from mms_server.network.client_connection import connect
from tests.support.running import ROOT, running
from tests.support.sites import SITE, write_site

pytestmark = pytest.mark.system

ROWS = "points:\n  LD0/GGIO1.AnIn3: io1.temperature\nunmapped: [LD0/GGIO1, LD0/XCBR1, LD0/MMTR1]\n"
SERIAL = "  scale-1: {protocol: serial-ascii, port: /dev/nowhere, baudrate: 9600}\n"


@dataclass(frozen=True)
class Field:
    """A simulated line and the site that it belongs to."""

    site: Path
    line: Endpoint


@pytest.fixture
def field(tmp_path: Path) -> Iterator[Field]:
    """`simulate` on ::1, until the test ends; it names its line with brackets."""
    there = fixed(Endpoint("::1", 0))
    text = SITE.replace("host: 127.0.0.1, port: 1502", f'host: "::1", port: {there.port}')
    text = text.replace("127.0.0.1:0", "[::1]:0").replace(SERIAL, "")
    site = write_site(tmp_path, ROWS, text)
    command = [sys.executable, "-m", "mms_gateway", "simulate", str(site)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == f"line lan at {there}\n"
        yield Field(site, there)
    finally:
        process.terminate()
        assert process.wait(10) == 0
        process.stdout.close()


def typed(*words: object) -> str:
    command = [sys.executable, "-m", "mms_gateway", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=True).stdout


def test_a_gateway_listens_and_is_found_at_addresses_of_ipv6(field: Field, tmp_path: Path) -> None:
    lines = field.site / "state" / "simulated.yaml"
    words = ("run", str(field.site), "--lines", str(lines), "--http-host", "::1", "--http-port", "0")
    with running(tmp_path, *words) as gateway:
        mms, http = Endpoint.parse(gateway.facts["mms"]), Endpoint.parse(gateway.facts["http"])
        assert (str(mms), mms.host, str(http), http.host) == (gateway.facts["mms"], "::1", gateway.facts["http"], "::1")
        with urllib.request.urlopen(f"http://{http}/api/status", timeout=10) as answer:
            assert json.load(answer)["site"] == "bench"
        connect(mms.host, mms.port).close()
        served = next(one for one in typed("explain", field.site, "LD0/GGIO1.AnIn3").splitlines() if "served" in one)
        assert ", good, " in served
    with pytest.raises(MmsError) as raised:
        connect(mms.host, mms.port)
    assert str(raised.value).startswith(f"{mms}: no connection: ")


def test_a_gateway_takes_its_hosts_from_the_command_line(field: Field, tmp_path: Path) -> None:
    site = field.site / "site.yaml"
    site.write_text(site.read_text(encoding="utf-8").replace("[::1]:0", "127.0.0.1:0"), encoding="utf-8")
    with running(tmp_path, "run", str(field.site), "--mms-host", "::1") as gateway:
        assert gateway.facts["mms"].startswith("[::1]:")


def test_a_line_of_ipv6_is_read_scanned_and_examined(field: Field) -> None:
    url = f"modbus-tcp://{field.line}"
    assert len(typed("read", "--line", url, "--unit", 2, "--register", "coil 20 bool").splitlines()) == 2
    assert "unit2" in typed("scan", "--line", url, "--units", "2")
    assert "ok    lan: io1, unit 2: answers\n" in typed("doctor", field.site)


def test_a_gateway_says_with_brackets_where_it_cannot_listen(field: Field, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mms_gateway", "run", str(field.site), "--mms-port", f"IO={field.line.port}"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
    assert done.returncode == 2
    assert f"error[port]: IED IO cannot listen on {field.line}: address already in use\n" in done.stderr
