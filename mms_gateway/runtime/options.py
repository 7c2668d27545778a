"""Options of `run`, `serve` and `simulate`: the command line is made from these classes, and they travel as they are."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

import cyclopts

from bus.endpoint import PORT_LIMIT, Endpoint
from mms_gateway.command import Port
from mms_server.redundancy.standby import TAKEOVER_AFTER_S, PairOptions

LEAST_SILENCE_S: Final = 1.0  # two words of the other one

LogFormat = Literal["console", "json"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """Options of `run`; `demo` makes its own.

    Parameters
    ----------
    mms_port
        IED=PORT instead of the site's; 0 takes a free port. May be given for each IED.
    mms_host
        Address of every MMS server instead of the site's: 127.0.0.1 on a bench. Servers that speak TLS keep theirs.
    http_port
        Port of the status page; without it there is none.
    http_host
        Address of the status page.
    state_dir
        Folder for what survives a restart; state/ beside site.yaml by default.
    lines
        A file whose lines are laid over the site's, as `simulate` writes it.
    peer
        HOST:PORT where the other gateway of a pair listens; of the two one serves, the other one takes over.
    peer_listen
        HOST:PORT where this one listens for the other. Both belong on a private network.
    standby
        Never begin alone: wait until the other one has been heard to serve.
    takeover_after
        Seconds of silence after which the other one counts as gone.
    seconds
        End by itself after so long.
    log_format
        console for people, json for machines.
    """

    mms_port: Annotated[list[str] | None, cyclopts.Parameter(negative=())] = None
    mms_host: str | None = None
    http_port: Port | None = None
    http_host: str = "127.0.0.1"
    state_dir: Path | None = None
    lines: Path | None = None
    peer: str | None = None
    peer_listen: str | None = None
    standby: bool = False
    takeover_after: float = TAKEOVER_AFTER_S
    seconds: float | None = None
    log_format: LogFormat = "console"

    def check(self) -> None:
        """Raises ValueError for options that say nothing, or that do not fit together."""
        self.ports()
        self.pair()

    def ports(self) -> dict[str, int]:
        """The port of each IED that has one of its own. Raises ValueError."""
        ports: dict[str, int] = {}
        for given in self.mms_port or ():
            ied, equals, port = given.partition("=")
            if not equals or not port.isdecimal() or int(port) > PORT_LIMIT:
                raise ValueError(f"--mms-port takes IED=PORT, not `{given}`")
            ports[ied] = int(port)
        return ports

    def http(self) -> Endpoint | None:
        """Where the status page is to be; None if there is none."""
        return None if self.http_port is None else Endpoint(self.http_host, self.http_port)

    def pair(self) -> PairOptions | None:
        """This half of a pair; None if it is none. Raises ValueError."""
        if self.peer is None and self.peer_listen is None and not self.standby:
            return None
        if self.peer is None or self.peer_listen is None:
            raise ValueError("a pair needs --peer and --peer-listen, both")
        peer, listen = Endpoint.parse(self.peer), Endpoint.parse(self.peer_listen)
        for option, endpoint in (("--peer", peer), ("--peer-listen", listen)):
            if endpoint.port == 0:
                raise ValueError(f"{option} takes HOST:PORT with the port that the other one knows, not 0")
        if self.takeover_after < LEAST_SILENCE_S:
            raise ValueError(f"--takeover-after takes at least {LEAST_SILENCE_S:g} s, not {self.takeover_after:g}")
        return PairOptions(peer, listen, not self.standby, self.takeover_after)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """Options of `serve`.

    Parameters
    ----------
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

    ied: str | None = None
    access_point: str | None = None
    host: str = "127.0.0.1"
    port: Port = 10102
    password: str | None = None
    files: Path | None = None
    state_dir: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_ca: Path | None = None
    simulate_process: bool = False
    seconds: float | None = None
    log_format: LogFormat = "console"


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulateOptions:
    """Options of `simulate`.

    Parameters
    ----------
    faults
        A timeline of faults.
    state_dir
        Folder for simulated.yaml; state/ beside site.yaml by default.
    seconds
        End by itself after so long.
    log_format
        console for people, json for machines.
    """

    faults: Path | None = None
    state_dir: Path | None = None
    seconds: float | None = None
    log_format: LogFormat = "console"
