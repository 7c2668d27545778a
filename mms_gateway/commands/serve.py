"""`mms-gateway serve SCL`: the embedded server alone: one SCL file, no field, no mapping."""

from pathlib import Path
from typing import Final, Literal

from mms_gateway.command import Command, Port


def serve(
    scl: Path,
    /,
    *,
    ied: str | None = None,
    access_point: str | None = None,
    host: str = "127.0.0.1",
    port: Port = 10102,
    password: str | None = None,
    files: Path | None = None,
    state_dir: Path | None = None,
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
    tls_ca: Path | None = None,
    simulate_process: bool = False,
    seconds: float | None = None,
    log_format: Literal["console", "json"] = "console",
) -> int:
    """Serve any SCL file: values start as the file has them.

    Parameters
    ----------
    scl
        An ICD, CID, SCD or IID file.
    ied
        The IED to serve; the first that has a server by default.
    access_point
        Its access point; the first that has a server by default.
    host
        Address to listen on.
    port
        Port to listen on; 0 takes a free one.
    password
        Refuse any association without it.
    files
        Folder whose files clients may fetch.
    state_dir
        Folder for what survives a restart; without it nothing does.
    tls_cert
        Certificate: the port then speaks TLS only.
    tls_key
        Key of the certificate.
    tls_ca
        CA under which a client's certificate must be.
    simulate_process
        Measurands move slowly, and controls drive their status.
    seconds
        End by itself after so long.
    log_format
        console for people, json for machines.
    """
    from bus import logs
    from mms_gateway.runtime.serve import ServeOptions, run

    logs.configure("serve", log_format)
    tls = (tls_cert, tls_key, tls_ca)
    options = ServeOptions(
        scl, ied, access_point, host, port, password, files, state_dir, tls, simulate_process, seconds
    )
    return run(options)


COMMAND: Final = Command("serve", serve)
