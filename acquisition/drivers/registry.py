"""Registry of drivers: every module of this folder that has a `DRIVER`, and those that other packages name (D114).

    [project.entry-points."mms_gateway.drivers"]
    anything = "their_package.their_module:DRIVER"

Every OS process of a site collects them in the same way.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Final

from acquisition import drivers
from acquisition.drivers.base import DriverSpec
from bus.plugins import PluginError, by_key, constants
from mapping.protocols import Protocol

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP: Final = "mms_gateway.drivers"


@cache
def by_protocol() -> dict[str, DriverSpec]:
    """All drivers by the protocol's name in site.yaml. Raises PluginError: see `collected`."""
    from importlib.metadata import entry_points  # takes some 30 ms, see D63

    return collected(entry_points(group=GROUP))


def collected(entries: Iterable["EntryPoint"]) -> dict[str, DriverSpec]:
    """Our drivers and those of `entries`. Raises PluginError if one cannot be had, or if two claim one protocol."""
    return by_key([*constants(drivers, "DRIVER", DriverSpec), *_foreign(entries)], lambda spec: spec.name)


def _foreign(entries: Iterable["EntryPoint"]) -> Iterator[tuple[str, DriverSpec]]:
    for entry in entries:
        package = "" if entry.dist is None else f" of {entry.dist.name} {entry.dist.version}"
        place = f"driver {entry.value}{package}"
        try:
            found = entry.load()
        except Exception as error:  # what another's module raises when it is imported is for its author to say
            raise PluginError(f"{place} cannot be imported: {type(error).__name__}: {error}") from error
        if not isinstance(found, DriverSpec):
            raise PluginError(f"{place} is a {type(found).__name__}, expected a DriverSpec")
        yield place, found


def driver_of(protocol: str) -> DriverSpec:
    """The driver of `protocol`. Raises PluginError, which says what there is, if there is none."""
    known = by_protocol()
    if protocol not in known:
        raise PluginError(f"no driver for protocol `{protocol}`, there are {', '.join(sorted(known))}")
    return known[protocol]


def protocols() -> dict[str, Protocol]:
    """The protocols of all drivers by name, for the compiler. Raises PluginError: see `collected`."""
    return {name: spec.protocol for name, spec in by_protocol().items()}
