"""Plug-ins: modules that each have one upper-case constant, found by listing their package.

services/identify.py     SERVICE: Final = Service("identify", ...)      one thing, one file; a plain module has no constant
"""

import importlib
import pkgutil
from collections.abc import Callable, Hashable, Iterable, Iterator
from types import ModuleType
from typing import TypeVar

Plugin = TypeVar("Plugin")
Key = TypeVar("Key", bound=Hashable)


class PluginError(Exception):
    """Plug-ins that cannot be used as they are installed; the text is one line for whoever starts the program."""


def constants(package: ModuleType, name: str, kind: type[Plugin]) -> Iterator[tuple[str, Plugin]]:
    """Each constant `name` of the modules of `package` that is a `kind`, behind the full name of its module."""
    for module in pkgutil.iter_modules(package.__path__):
        path = f"{package.__name__}.{module.name}"
        constant = getattr(importlib.import_module(path), name, None)
        if isinstance(constant, kind):
            yield path, constant


def by_key(found: Iterable[tuple[str, Plugin]], key: Callable[[Plugin], Key]) -> dict[Key, Plugin]:
    """The plug-ins by what `key` says of each. Raises PluginError, which names both, if two say the same."""
    plugins: dict[Key, Plugin] = {}
    places: dict[Key, str] = {}
    for place, plugin in found:
        one = key(plugin)
        if one in plugins:
            raise PluginError(f"{places[one]} and {place} both claim `{one}`")
        plugins[one], places[one] = plugin, place
    return plugins
