"""TLS in front of an association: 1.2 and 1.3, both sides with certificates (IEC 62351-3)."""

import ssl

CIPHERS = "ECDHE+AESGCM:DHE+AESGCM"


def server_context(cert: str, key: str, ca: str) -> ssl.SSLContext:
    """The context of a port that speaks TLS only and admits clients under `ca`. Raises OSError (ssl.SSLError is one)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.load_cert_chain(cert, key)
    context.load_verify_locations(ca)
    context.verify_mode = ssl.CERT_REQUIRED
    return context
