"""The drivers that there are: every module of this folder that has a `DRIVER`."""

import importlib
import pkgutil
from functools import cache

from acquisition import drivers
from acquisition.drivers.base import DriverSpec


@cache
def by_protocol() -> dict[str, DriverSpec]:
    """All drivers by the protocol's name in site.yaml. Raises RuntimeError if two claim one name."""
    found: dict[str, DriverSpec] = {}
    for module in pkgutil.iter_modules(drivers.__path__):
        spec = getattr(importlib.import_module(f"{drivers.__name__}.{module.name}"), "DRIVER", None)
        if isinstance(spec, DriverSpec):
            if spec.protocol in found:
                raise RuntimeError(f"two drivers for {spec.protocol}")
            found[spec.protocol] = spec
    return found
