"""The services that there are: every module of this folder that has a `SERVICE`."""

from functools import cache

from bus.plugins import by_key, constants
from mms_server import services
from mms_server.services.base import Service


@cache
def by_tag() -> dict[int, Service]:
    """All services by the tag of their request. Raises PluginError if two claim one tag."""
    return by_key(constants(services, "SERVICE", Service), lambda service: service.tag)
