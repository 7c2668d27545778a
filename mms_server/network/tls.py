"""TLS in front of associations: 1.2 and 1.3, certificates on both sides, a CRL, a list of peers (IEC 62351-3).

    octets of the connection ──► TlsSession ──► octets of the association        a fault: one reason, one alert
                             ◄──            ◄──

Python's `ssl` cannot begin a renegotiation or a key update: fresh keys need a new association. A new CRL ends every session
of its port, and clients that return are checked against it.
"""

import hashlib
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast

CIPHERS: Final = "ECDHE+AESGCM:DHE+AESGCM:@SECLEVEL=2"  # RSA from 2048 bits, SHA-2
CERTIFICATE_OCTETS: Final = 8192
READ_OCTETS: Final = 65_536


@dataclass
class TlsRefused(Exception):  # noqa: N818 - it is what a peer gets
    """The reason why a peer is refused; `alert` are the octets of the TLS alert for it, empty if there is none."""

    reason: str
    alert: bytes = b""


@dataclass(eq=False)
class TlsPort:
    """Settings of one TLS port: files in PEM, and the peers that are admitted (`sha256:HEX`, `CN=...`), all if none is given.

    Raises OSError when it is made, and when the CRL has changed, for files that cannot be used.
    """

    cert: str
    key: str
    ca: str
    crl: str | None = None
    peers: tuple[str, ...] = ()
    _context: ssl.SSLContext = field(init=False)
    _crl_changed_ns: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.reload()

    def reload(self) -> bool:
        """Read the files anew if the CRL is another one than before; True if it is."""
        changed = 0 if self.crl is None else Path(self.crl).stat().st_mtime_ns
        if changed == self._crl_changed_ns and hasattr(self, "_context"):
            return False
        self._context = server_context(self.cert, self.key, self.ca, self.crl)
        self._crl_changed_ns = changed
        return True

    def session(self) -> "TlsSession":
        """The server's end of one new connection."""
        return TlsSession(self._context, self.peers)


class TlsSession:
    """The TLS session of one connection, over octets: it knows no socket."""

    def __init__(self, context: ssl.SSLContext, peers: tuple[str, ...] = ()) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._peers = peers
        self.certificate: bytes | None = None  # DER, once the handshake is done
        self.done = False

    def receive(self, octets: bytes) -> bytes:
        """The octets for the association that `octets` of the connection carry. Raises TlsRefused."""
        self._incoming.write(octets)
        try:
            if not self.done:
                self._tls.do_handshake()
                self._admitted()
                self.done = True
            plain = []
            while piece := self._tls.read(READ_OCTETS):
                plain.append(piece)
        except ssl.SSLWantReadError:
            return b"".join(plain) if self.done else b""
        except ssl.SSLZeroReturnError:
            return b""
        except ssl.SSLError as error:
            raise TlsRefused(_reason(error), self.to_send()) from error
        return b"".join(plain)

    def send(self, octets: bytes) -> bytes:
        """`octets` of the association as they go on the connection. Raises TlsRefused."""
        try:
            self._tls.write(octets)
        except ssl.SSLError as error:
            raise TlsRefused(_reason(error)) from error
        return self._outgoing.read()

    def to_send(self) -> bytes:
        """The octets of TLS itself (handshake, alerts) that wait to be sent."""
        return self._outgoing.read()

    def _admitted(self) -> None:
        self.certificate = self._tls.getpeercert(binary_form=True)
        if self.certificate is None:
            return
        if len(self.certificate) > CERTIFICATE_OCTETS:
            raise TlsRefused(f"a certificate of {len(self.certificate)} octets, expected at most {CERTIFICATE_OCTETS}")
        if self._peers and not self._listed(self.certificate):
            raise TlsRefused(f"{self.subject} is not on the list of peers")

    def _listed(self, certificate: bytes) -> bool:
        digest = hashlib.sha256(certificate).hexdigest()
        names = {f"CN={name}" for name in self._common_names()}
        return any(
            peer in names or peer.lower().replace(":", "").removeprefix("sha256") == digest for peer in self._peers
        )

    def _common_names(self) -> list[str]:
        described = self._tls.getpeercert() or {}
        subject = cast("tuple[tuple[tuple[str, str], ...], ...]", described.get("subject", ()))
        return [value for part in subject for key, value in part if key == "commonName"]

    @property
    def subject(self) -> str:
        """The common name of the peer."""
        names = self._common_names()
        return names[0] if names else "a certificate without a common name"


def _reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate refused: {error.verify_message}"
    return (error.reason or str(error)).lower().replace("_", " ")


def server_context(cert: str, key: str, ca: str, crl: str | None = None) -> ssl.SSLContext:
    """The context of a port that speaks TLS only and admits clients under `ca`. Raises OSError (ssl.SSLError is one)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.load_cert_chain(cert, key)
    context.load_verify_locations(ca)
    if crl is not None:
        context.load_verify_locations(crl)
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    context.verify_mode = ssl.CERT_REQUIRED
    return context
