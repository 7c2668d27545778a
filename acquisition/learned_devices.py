"""Facts that a worker keeps over restarts: refused registers and turnaround of devices, channels of lines. Part of the shell."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from acquisition.exchange.identity import channel_record
from acquisition.exchange.identity.channel_record import ChannelRecord, ChannelRecords
from acquisition.polling import refused_registers
from acquisition.polling.refused_registers import RefusedRange
from mapping.block_planning import turnaround
from mapping.block_planning.turnaround import Turnaround
from mapping.plan import DevicePlan

log = logging.getLogger("acquisition.worker")


class LearnedRefusals:
    """Refused registers of a worker's devices, kept in one file; None: they are forgotten when it ends."""

    def __init__(self, path: Path | None, devices: Sequence[DevicePlan]) -> None:
        self._path = path
        self._kept = self._loaded()
        self.known = refused_registers.known(self._kept, devices)

    def note(self, device: DevicePlan, found: Sequence[RefusedRange], identity: str) -> None:
        """Keep `found`, the refused ranges of `device` with `identity`. A disk that takes nothing costs no more than them."""
        if found:
            self._kept[device.name] = refused_registers.refusals_of(device, found, identity)
        else:
            self._kept.pop(device.name, None)
        if self._path is None:
            return
        try:
            refused_registers.save(self._path, self._kept)
        except OSError as error:
            log.warning("what devices refuse is not remembered: %s", error, extra={"device": device.name})

    def _loaded(self) -> refused_registers.KnownRefusals:
        if self._path is None:
            return {}
        try:
            return refused_registers.load(self._path)
        except (OSError, ValueError) as error:
            log.warning("what devices refused is forgotten: %s", error)
            return {}


class LearnedTurnarounds:
    """Turnarounds of a worker's devices, kept in one file; None: they are forgotten when it ends."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        there = path is not None and path.exists()
        self._kept, problems = turnaround.load([path] if there and path is not None else [])
        for problem in problems:
            log.warning("%s", problem)

    def keep(self, devices: Mapping[str, tuple[int, float]]) -> None:
        """Keep the steps of `devices`: by name the unit, and seconds. A disk that takes nothing costs no more than them."""
        now = {name: Turnaround(unit, turnaround.step(seconds)) for name, (unit, seconds) in devices.items()}
        if self._path is None or now.items() <= self._kept.items():
            return
        self._kept |= now
        try:
            turnaround.save(self._path, self._kept)
        except OSError as error:
            log.warning("what devices take to answer is not kept: %s", error)


class LearnedChannels:
    """Channel records of a worker's lines, kept in one file; None: they are forgotten when it ends."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.known = self._loaded()

    def note(self, line: str, record: ChannelRecord) -> None:
        """Keep `record` of `line`. A disk that takes nothing costs no more than it."""
        self.keep({line: record})

    def keep(self, records: Mapping[str, ChannelRecord]) -> None:
        """Keep `records`, by line; those of lines of which there is nothing to be known are left out."""
        fresh = {name: record for name, record in (self.known | dict(records)).items() if record != ChannelRecord()}
        if fresh == self.known:
            return
        self.known = fresh
        if self._path is None:
            return
        try:
            channel_record.save(self._path, fresh)
        except OSError as error:
            log.warning("how late devices answer is not kept: %s", error)

    def _loaded(self) -> ChannelRecords:
        if self._path is None:
            return {}
        try:
            return channel_record.load(self._path)
        except (OSError, ValueError) as error:
            log.warning("how late devices answered is forgotten: %s", error)
            return {}
