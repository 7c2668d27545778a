"""The services that there are: every module of this folder that has a `SERVICE`."""

import importlib
import pkgutil
from functools import cache

from mms_server import services
from mms_server.services.base import Service


@cache
def by_tag() -> dict[int, Service]:
    """All services by the tag of their request. Raises RuntimeError if two claim one tag."""
    found: dict[int, Service] = {}
    for module in pkgutil.iter_modules(services.__path__):
        service = getattr(importlib.import_module(f"{services.__name__}.{module.name}"), "SERVICE", None)
        if isinstance(service, Service):
            if service.tag in found:
                raise RuntimeError(f"{service.name} and {found[service.tag].name} have one tag, {service.tag:02x}")
            found[service.tag] = service
    return found
