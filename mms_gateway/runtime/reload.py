"""Reload of a changed site: compile it, compare the plans (D48), and let each OS process take its part of the change.

    compile ──errors──► one WARNING each, the old configuration stays
       └──► ports ──► run folder ──► end what is gone or restarts ──► tell what goes on ──► start what is new or restarts

Workers that restart end before the servers hear of it, and start after: no server receives a worker's messages by another
plan than its own (D97). How it went stands in `reload.json` in the run folder, for `mms-gateway reload`.
"""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from mapping.compile import Compiled
from mapping.diagnostics import Diagnostic
from mapping.plan import Plan
from mms_gateway.runtime.deployment import Deployment
from mms_gateway.runtime.plan_diff import between, described
from mms_gateway.runtime.supervisor import Supervisor

FILE: Final = "reload.json"

log = logging.getLogger("gateway.reload")


class ReloadResult(msgspec.Struct, frozen=True):
    """How one reload went: `texts` say what has changed, or why nothing has."""

    number: int  # counts from 1 in each run
    taken: bool
    revision: str  # of the plan that runs now
    texts: list[str]


class Reloader:
    """The reloads of one run. `compile_again` reads the site's files."""

    def __init__(
        self, plan: Plan, deployment: Deployment, supervisor: Supervisor, compile_again: Callable[[], Compiled]
    ) -> None:
        self.plan = plan  # that runs now
        self._deployment = deployment
        self._supervisor = supervisor
        self._compile = compile_again
        self._count = 0

    async def reload(self) -> None:
        """Take the site as its files are now, or leave all as it is; either is logged and told. Never raises for them."""
        self._count += 1
        try:
            plan, found = await self._compiled()
            taken, texts = (False, [one.headline() for one in found]) if plan is None else await self._taken(plan)
        except OSError as error:  # a file that went while it was read, or no room in the run folder
            taken, texts = False, [str(error)]
        if not taken:
            for text in texts:
                log.warning("%s", text)
            log.warning("the changed site is refused: the old configuration stays")
        for text in texts if taken else []:
            log.info("%s", text)
        outcome = ReloadResult(self._count, taken, self.plan.revision, texts)
        _write(self._deployment.folder / FILE, outcome)

    async def _compiled(self) -> tuple[Plan | None, list[Diagnostic]]:
        result = await asyncio.to_thread(self._compile)  # children are watched meanwhile
        if result.plan is None:
            return None, result.diagnostics.errors
        found = self._deployment.check(result.plan)
        return (None, found.errors) if found.errors else (result.plan, [])

    async def _taken(self, plan: Plan) -> tuple[bool, list[str]]:
        before, supervisor = self.plan, self._supervisor
        if plan.revision == before.revision:
            return True, ["nothing has changed"]
        rows = self._deployment.install(plan)
        self.plan, changes = plan, between(before, plan)
        await supervisor.end(changes.ended | changes.restarted)
        anew = set(changes.started | changes.restarted)
        refusals = await asyncio.gather(*(self._as_it_runs(name) for name in sorted(changes.reloaded)))
        anew.update(name for name in refusals if name is not None)
        supervisor.add([row for row in rows if row.name in anew])
        texts = described(before, plan)
        if not await supervisor.ready():
            texts.append("not every process is ready yet: the log says why")
        return True, texts

    async def _as_it_runs(self, name: str) -> str | None:
        """Let an OS process take the plan as it runs; its name if it has to start anew, and it has ended then."""
        refused = await self._supervisor.reload(name)
        if refused is None:
            return None
        log.warning("%s does not take the changed site as it runs (%s): it starts anew", name, refused)
        await self._supervisor.end({name})
        return name


def _write(path: Path, outcome: ReloadResult) -> None:
    fresh = path.with_name(path.name + ".new")
    try:
        fresh.write_bytes(msgspec.json.encode(outcome))
        fresh.replace(path)
    except OSError as error:
        log.warning("%s cannot be written: %s", path, error.strerror)


def last(run_dir: Path) -> ReloadResult | None:
    """How the last reload of the gateway with that run folder went; None if there was none."""
    try:
        return msgspec.json.decode((run_dir / FILE).read_bytes(), type=ReloadResult)
    except OSError:
        return None
