"""Our client over real connections: against our own server, with TLS and a password, and against a stranger's server."""

import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bus.quality import UtcTime
from mms_server.client.controls import Operated
from mms_server.client.errors import MmsError
from mms_server.network.client_connection import connect
from tests.support import strangers
from tests.support.certificates import Authority
from tests.support.running import ROOT, running, until

pytestmark = pytest.mark.system
DEMO = ROOT / "hw_configs" / "demo" / "demo.icd"
HOST = "127.0.0.1"


def test_a_served_file_is_read_controlled_and_reported(tmp_path: Path) -> None:
    arguments = ("serve", str(DEMO), "--port", "0", "--password", "secret", "--simulate-process")
    with running(tmp_path, *arguments) as server:
        with pytest.raises(MmsError, match=rf"^{HOST}:{server.mms_port}: refused: authentication failed$"):
            connect(HOST, server.mms_port)
        mms = connect(HOST, server.mms_port, password="secret")
        for number, ctl_model in enumerate((1, 2, 3, 4), start=1):
            reference = f"IO/GGIO1.SPCSO{number}"
            assert mms.read(f"{reference}.ctlModel") == ctl_model
            assert mms.operate(reference, True) == Operated(ok=True)
            mms.wait(f"{reference}.stVal", True)
        with mms.reports("MAIN/LLN0.urcbMeasurements", interrogate=True) as reports:
            whole = reports.next()
            assert list(whole.values)[:2] == ["MAIN/MMXU1.TotW", "MAIN/MMXU1.TotVAr"]
            assert "data-change" in {one for reasons in reports.next(within=5).reasons.values() for one in reasons}
        mms.close()


def test_tls_asks_for_a_certificate_and_takes_one(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    cert, key = authority.issue("gateway")
    paths = ("--tls-cert", cert, "--tls-key", key, "--tls-ca", authority.ca)
    context = ssl.create_default_context(cafile=authority.ca)
    context.check_hostname = False
    with running(tmp_path, "serve", str(DEMO), "--port", "0", *paths) as server:
        with pytest.raises(MmsError):
            connect(HOST, server.mms_port, tls=context)
        context.load_cert_chain(*authority.issue("tester"))
        mms = connect(HOST, server.mms_port, tls=context)
        assert mms.read("MAIN/LLN0.NamPlt.vendor") == "mms-gateway"
        mms.close()


def test_nobody_there_and_nobody_who_speaks_are_errors_with_a_time_limit() -> None:
    with socket.socket() as silent:
        silent.bind((HOST, 0))
        port = silent.getsockname()[1]
        with pytest.raises(MmsError, match=rf"^{HOST}:{port}: no connection: .*[Cc]onnection refused$"):
            connect(HOST, port)
        silent.listen()
        with pytest.raises(MmsError, match=rf"^{HOST}:{port}: no association within 0\.2 s$"):
            connect(HOST, port, timeout=0.2)


@contextmanager
def stranger(folder: Path) -> Iterator[int]:
    """The port of open61850's server with the demonstration's model."""
    out = folder / "said.txt"
    server = strangers.module("open61850.server").__name__
    command = [sys.executable, "-m", server, str(DEMO), "--host", HOST, "--port", "0"]
    with out.open("w") as said, subprocess.Popen(command, stdout=said, stderr=said) as process:
        try:
            until(lambda: f" on {HOST}:" in out.read_text(), 20, out.read_text)
            yield int(out.read_text().partition(f" on {HOST}:")[2].split()[0])
        finally:
            process.terminate()
            process.wait(10)


def test_a_strangers_server_is_read_controlled_and_reported(tmp_path: Path) -> None:
    with stranger(tmp_path) as port:
        mms = connect(HOST, port)
        zero = {"mag": {"f": 0.0}, "instMag": {"f": 0.0}, "q": 0, "t": UtcTime(0, 0)}
        assert mms.read("MAIN/MMXU1.TotW") == zero
        assert mms.operate("IO/GGIO1.SPCSO1", True) == Operated(ok=True)
        with mms.reports("MAIN/LLN0.urcbMeasurements", interrogate=True) as reports:
            assert reports.wait("MAIN/MMXU1.TotW", zero).reasons["MAIN/MMXU1.TotW"] == ("general-interrogation",)
        with pytest.raises(MmsError, match=r"^MAIN/MMXU1\.TotX: no such name; near it: MAIN/MMXU1\.TotW,"):
            mms.read("MAIN/MMXU1.TotX")
        mms.close()
