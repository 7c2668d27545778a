"""What a worker remembers over its restarts: the registers that its devices refuse. Part of the shell."""

import logging
from collections.abc import Sequence
from pathlib import Path

from acquisition.polling import refused_registers as holes
from acquisition.polling.refused_registers import Hole
from mapping.plan import DevicePlan

log = logging.getLogger("acquisition.worker")


class Memory:
    """The holes of a worker's devices, in one file; None: they are forgotten when it ends."""

    def __init__(self, path: Path | None, devices: Sequence[DevicePlan]) -> None:
        self._path = path
        self._remembered = self._loaded()
        self.known = holes.known(self._remembered, devices)

    def note(self, device: DevicePlan, found: Sequence[Hole], identity: str) -> None:
        """What `device`, which says that it is `identity`, refuses now. A disk that takes nothing costs the memory only."""
        if found:
            self._remembered[device.name] = holes.noted(device, found, identity)
        else:
            self._remembered.pop(device.name, None)
        if self._path is None:
            return
        try:
            holes.save(self._path, self._remembered)
        except OSError as error:
            log.warning("what devices refuse is not remembered: %s", error)

    def _loaded(self) -> holes.Remembered:
        if self._path is None:
            return {}
        try:
            return holes.load(self._path)
        except (OSError, ValueError) as error:
            log.warning("what devices refused is forgotten: %s", error)
            return {}
