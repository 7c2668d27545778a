"""Devices and points by the names that rows give them."""

from dataclasses import dataclass

from mapping.diagnostics import did_you_mean
from mapping.located_yaml.validated import nearest
from mapping.passes.draft import Draft, DraftDevice, DraftPoint


@dataclass(frozen=True, slots=True)
class Miss:
    """A name that nothing has: the word that is wrong, and what to say of it."""

    code: str
    word: str
    message: str
    hint: str | None


def find_device(draft: Draft, name: str) -> DraftDevice | Miss | None:
    """The device `name`; None if it is there, but so wrong that it was left out: that is said already."""
    device = draft.devices.get(name)
    if device is not None or draft.mentions("devices", name):
        return device
    return Miss("unknown-device", name, f"no device `{name}`", did_you_mean(nearest(name, list(draft.devices))))


def find_point(draft: Draft, text: str, proposal: str = "") -> DraftPoint | Miss | None:
    """The point that `device.point` names; None if what is wrong with it is said already.

    `proposal` is the data object that asks: who names a device alone is offered the point that its profile proposes.
    """
    device_name, dot, name = text.partition(".")
    device = find_device(draft, device_name)
    if not isinstance(device, DraftDevice):
        return device
    if not dot:
        proposed = [one.plan.name for one in device.points.values() if proposal in one.proposes]
        return Miss("unknown-point", text, f"`{text}` is a device, expected `device.point`", did_you_mean(proposed))
    point = device.points.get(name)
    if point is not None or name in device.left_out or device.half_known:
        return point
    hint = did_you_mean(nearest(name, list(device.points)))
    return Miss("unknown-point", name, f"no point `{name}` of device `{device_name}`", hint)
