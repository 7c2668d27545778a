"""TLS in front of associations: who is let in, and that who is not leaves one line with the reason (IEC 62351-3)."""

import hashlib
import logging
import os
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from mms_server import Client as ServerClient
from mms_server import IedServer, TlsPort
from tests.support.certificates import Authority
from tests.support.client import Client
from tests.support.running import ROOT, until

DEMO = ROOT / "hw_configs" / "demo" / "demo.icd"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@contextmanager
def serving(authority: Authority, crl: str | None = None, peers: tuple[str, ...] = ()) -> Iterator[IedServer]:
    cert, key = authority.issue("gateway")
    server = IedServer.from_scl(DEMO)
    server.start(port=0, host="127.0.0.1", tls=TlsPort(cert, key, authority.ca, crl, peers))
    try:
        yield server
    finally:
        server.stop()


class TlsClient(Client):
    """The test client behind TLS. Raises ssl.SSLError or ConnectionError if it is not let in."""

    def __init__(self, server: IedServer, context: ssl.SSLContext) -> None:
        super().__init__(server.port or 0)
        self.socket = context.wrap_socket(self.socket, server_hostname="localhost")


def context_of(
    authority: Authority, pair: tuple[str, str] | None, *, version: ssl.TLSVersion | None = None
) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(authority.ca)
    if pair is not None:
        context.load_cert_chain(*pair)
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


def is_let_in(server: IedServer, context: ssl.SSLContext) -> bool:
    try:
        with closing(TlsClient(server, context)) as client:
            answer = client.associate()
    except (ssl.SSLError, ConnectionError):
        return False
    return answer[:1] == b"\x0e"


def reason(caplog: pytest.LogCaptureFixture) -> str:
    """The one line that a refused peer leaves."""
    until(lambda: any("no TLS" in message for message in caplog.messages), 5)
    (line,) = [message for message in caplog.messages if "TLS" in message]
    return line


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_certificate_of_the_ca_is_let_in_and_known(authority: Authority, version: ssl.TLSVersion) -> None:
    pair = authority.issue("scada")
    came: list[ServerClient] = []
    with serving(authority) as server:
        server.on_connection(lambda client, there: came.append(client) if there else None)
        assert is_let_in(server, context_of(authority, pair, version=version))
    assert came[0].certificate == ssl.PEM_cert_to_DER_cert(Path(pair[0]).read_text())


def test_without_a_certificate_nobody_is_let_in(authority: Authority, caplog: pytest.LogCaptureFixture) -> None:
    with serving(authority) as server:
        assert not is_let_in(server, context_of(authority, None))
        assert reason(caplog) == "no TLS: peer did not return a certificate"


def test_a_certificate_of_another_ca_is_refused(
    authority: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other", "other CA").issue("scada")
    with serving(authority) as server:
        assert not is_let_in(server, context_of(authority, stranger))
        assert reason(caplog).startswith("no TLS: certificate refused: unable to get local issuer certificate")


def test_an_expired_certificate_is_refused(authority: Authority, caplog: pytest.LogCaptureFixture) -> None:
    with serving(authority) as server:
        assert not is_let_in(server, context_of(authority, authority.issue("scada", days=-1)))
        assert reason(caplog) == "no TLS: certificate refused: certificate has expired"


def test_a_short_key_is_refused(authority: Authority) -> None:
    pair = authority.issue("scada", key=rsa.generate_private_key(65537, 1024))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.load_verify_locations(authority.ca)
    context.load_cert_chain(*pair)
    with serving(authority) as server:
        assert not is_let_in(server, context)


@pytest.mark.parametrize(("padding", "let_in"), [(7_000, True), (9_000, False)])
def test_a_certificate_has_at_most_8192_octets(authority: Authority, padding: int, let_in: bool) -> None:
    with serving(authority) as server:
        assert is_let_in(server, context_of(authority, authority.issue("scada", padding=padding))) is let_in


def test_an_old_version_is_refused(authority: Authority, caplog: pytest.LogCaptureFixture) -> None:
    context = context_of(authority, authority.issue("scada"))
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match=r"TLSv1_1"):
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_1
    with serving(authority) as server:
        assert not is_let_in(server, context)
        assert reason(caplog).startswith("no TLS: ")


def test_only_listed_peers_are_let_in(authority: Authority, caplog: pytest.LogCaptureFixture) -> None:
    by_name, by_digest, other = (authority.issue(name) for name in ("scada", "historian", "laptop"))
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(Path(by_digest[0]).read_text())).hexdigest()
    with serving(authority, peers=("CN=scada", f"sha256:{digest}")) as server:
        assert is_let_in(server, context_of(authority, by_name))
        assert is_let_in(server, context_of(authority, by_digest))
        assert not is_let_in(server, context_of(authority, other))
        assert reason(caplog) == "no TLS: laptop is not on the list of peers"


def test_a_revoked_certificate_is_refused_and_a_new_crl_ends_sessions(
    authority: Authority, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mms_server.network.ports.CRL_CHECK_S", 0.05)
    good, bad = authority.issue("scada"), authority.issue("stolen")
    crl = authority.revoke("stolen")
    with serving(authority, crl=crl) as server:
        assert not is_let_in(server, context_of(authority, bad))
        assert reason(caplog).startswith("no TLS: certificate refused: ")
        client = TlsClient(server, context_of(authority, good))
        assert client.associate()[0] == 0x0E
        authority.revoke("stolen", "scada")
        os.utime(crl, ns=(time.time_ns(), time.time_ns() + 1_000_000))
        assert client.tsdu()[:1] in (b"\x19", b"")  # an abort, or the end
        client.close()
        until(lambda: not is_let_in(server, context_of(authority, good)), 5)


def test_plain_octets_on_a_tls_port_end_the_connection_at_once(
    authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(authority) as server, socket.create_connection(("127.0.0.1", server.port or 0), timeout=5) as plain:
        plain.sendall(bytes.fromhex("0300001611e00000000100c1020001c2020001c0010d"))
        while plain.recv(100):
            pass
        with caplog.at_level(logging.WARNING):
            assert reason(caplog).startswith("no TLS: ")


def test_files_that_cannot_be_used_are_an_oserror(authority: Authority, tmp_path: Path) -> None:
    cert, key = authority.issue("gateway")
    with pytest.raises(FileNotFoundError):
        TlsPort(cert, key, str(tmp_path / "none.pem"))
    with pytest.raises(ssl.SSLError):
        TlsPort(cert, authority.issue("other")[1], authority.ca)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_what_comes_together_with_the_end_of_tls_is_still_taken(authority: Authority, version: ssl.TLSVersion) -> None:
    cert, key = authority.issue("gateway")
    session = TlsPort(cert, key, authority.ca).session()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = context_of(authority, authority.issue("scada"), version=version)
    peer = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    while not session.done:
        with suppress(ssl.SSLWantReadError):
            peer.do_handshake()
        assert session.receive(outgoing.read()) == b""
        incoming.write(session.to_send())
    peer.do_handshake()
    peer.write(b"the last request")
    with suppress(ssl.SSLWantReadError):
        peer.unwrap()
    assert session.receive(outgoing.read()) == b"the last request"
