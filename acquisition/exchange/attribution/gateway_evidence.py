"""Evidence of a gateway on one line (pure): behind one, a transaction id proves no more than that the gateway answers (D122).

a second unit, exceptions 10 and 11, a response of the wrong size under the right id    for good
a time-out alone                                                                        for ten minutes
`behind: device` of the site                                                            never, whatever comes (D127)
"""

from typing import Final

from mapping.plan import Behind

FOREVER: Final = float("inf")
TIMEOUT_EVIDENCE_S: Final = 600.0
UNREACHED: Final = (10, 11)  # exceptions of a gateway that has got no response from the device behind it


class GatewayEvidence:
    """Evidence that a gateway answers for the devices of one line. `tagged`: its responses have transaction ids."""

    def __init__(self, behind: Behind | None, *, tagged: bool) -> None:
        self._tagged = tagged
        self._possible = behind != "device"
        self._until = FOREVER if behind == "gateway" else 0.0

    def shown(self, now: float) -> None:
        """A response has come that only a gateway gives."""
        self._suspect(now, FOREVER)

    def timed_out(self, now: float) -> None:
        """A read had no response in time: a gateway's wait may have ended before the device's."""
        self._suspect(now, TIMEOUT_EVIDENCE_S)

    def _suspect(self, now: float, seconds: float) -> None:
        if self._possible:
            self._until = max(self._until, now + seconds)

    @property
    def is_possible(self) -> bool:
        """True unless the site says that the device itself answers."""
        return self._possible

    @property
    def is_certain(self) -> bool:
        """True once more than a time-out has told of a gateway."""
        return self._until == FOREVER

    def names_request(self, now: float) -> bool:
        """True where a response names its request: a transaction id, and nothing that tells of a gateway."""
        return self._tagged and now >= self._until
