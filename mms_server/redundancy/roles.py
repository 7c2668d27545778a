"""Election of the gateway that serves, of a pair, from time and the other one's status (pure).

    WAITING ──it serves──► STANDBY ──silent too long, ended, or started anew──► ACTIVE
       │                      ▲                                                   │
       │                      └──────── it serves too, and took over later ───────┘
       └──only the `first`: nobody serves, for as long as a silence lasts──► ACTIVE

Two gateways that poll one field line do harm. Therefore one of them gives way as soon as both hear each other: a takeover
is a new term, greater than all that were heard, and the greater term stays. No role is handed back by itself. Two PCs whose
network is cut while both run cannot know of each other: then both serve, until the network is whole again.
"""

from typing import Final

from mms_server.redundancy.messages import Role, Status

STATUS_S: Final = 0.5


class RoleElection:
    """One gateway's view. `first`: it may begin alone; the other one waits until it has heard somebody serve."""

    def __init__(self, name: str, *, first: bool, takeover_after_s: float, now: float) -> None:
        self.name = name
        self.role = Role.WAITING
        self.term = 0
        self.whole = False  # this one has a whole copy of what the other one keeps
        self._first = first
        self._patience_s = takeover_after_s
        self._since = now  # when it was last heard that the other one serves; at first, the start

    def status(self) -> Status:
        """The status for the other gateway, to be sent twice a second and at each change."""
        return Status(self.name, self.role, self.term, self._first)

    def heard(self, status: Status, now: float, utc_ns: int) -> Role:
        """The role that follows from `status`."""
        if status.role is Role.ACTIVE:
            return self._heard_active(status, now)
        if self.role is Role.STANDBY and status.role is Role.WAITING and not self.whole:
            self.role, self._since = Role.WAITING, now  # the other one, started anew, knows more than we do
        elif self.role is Role.STANDBY and status.role in (Role.WAITING, Role.ENDED):
            return self._serve(utc_ns)
        if self.role is Role.WAITING and status.role is Role.WAITING and self._goes_before(status):
            return self._serve(utc_ns)
        return self.role

    def _heard_active(self, status: Status, now: float) -> Role:
        if self.role is Role.ACTIVE and (status.term, status.name) < (self.term, self.name):
            return self.role
        self.role, self.term, self._since = Role.STANDBY, status.term, now
        return self.role

    def _goes_before(self, status: Status) -> bool:
        """True if this gateway is the one to begin, of two that have just started."""
        return self._first and (not status.first or self.name < status.name)

    def tick(self, now: float, utc_ns: int) -> Role:
        """The role that follows from silence."""
        silent = now - self._since >= self._patience_s
        if silent and (self.role is Role.STANDBY or (self.role is Role.WAITING and self._first)):
            return self._serve(utc_ns)
        return self.role

    def _serve(self, utc_ns: int) -> Role:
        self.role, self.term = Role.ACTIVE, max(utc_ns, self.term + 1)
        return self.role
