"""Status of a device: online or not, since when, and its last error; its own two points follow (pure)."""

from acquisition.decoding.point_readings import PointReading
from acquisition.decoding.scaling import Reading
from bus import quality
from bus.messages import DeviceState
from mapping.plan import DevicePlan, Own


class DeviceStatus:
    """Status of one device, as people see it. `utc_ns`: since when it is known."""

    def __init__(self, plan: DevicePlan, utc_ns: int) -> None:
        self._plan = plan
        self._own = {one.source.name: one.number for one in plan.points if isinstance(one.source, Own)}
        self._online: bool | None = None
        self._reason = ""
        self._since_ns = utc_ns
        self.polls = 0
        self.failures = 0

    @property
    def polled(self) -> list[int]:
        """The points that its answers feed."""
        return [one.number for one in self._plan.points if one.polled and one.asked]

    def changed(self, online: bool, reason: str, utc_ns: int) -> list[PointReading]:
        """The readings of its own points if the state, or why it is offline, has changed; otherwise none."""
        if online is self._online and reason in ("", self._reason):
            return []
        if online is not self._online:
            self._online, self._since_ns = online, utc_ns
        self._reason = reason or self._reason
        shown: dict[str, bool | str] = {"online": online, "last_error": self._reason}
        return [PointReading(number, Reading(shown[name], quality.GOOD)) for name, number in self._own.items()]

    def message(self) -> DeviceState:
        """The status as the heartbeat has it."""
        return DeviceState(
            self._plan.name, self._online is True, self._since_ns, self._reason, self.polls, self.failures
        )
