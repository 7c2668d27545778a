"""A reload with a real deployment: a site whose port cannot be had is refused, and taken once the port is free."""

import asyncio
import socket
from dataclasses import dataclass
from pathlib import Path

import pytest

from bus.endpoint import Endpoint
from mapping import plan as plans
from mapping.plan import Plan
from mms_gateway.runtime.deployment import Deployment
from mms_gateway.runtime.options import RunOptions
from mms_gateway.runtime.preflight import fixed
from mms_gateway.runtime.reload import Reloader, ReloadResult, last
from mms_gateway.runtime.supervisor import Supervisor
from tests.support.sites import SITE, compile_folder, write_site

ROWS = "points:\n  LD0/GGIO1.AnIn3: io1.temperature\nunmapped: [LD0/GGIO1, LD0/XCBR1, LD0/MMTR1]\n"


@dataclass
class Site:
    """A site that is installed at a free port, of which no OS process runs yet."""

    folder: Path
    run_dir: Path
    supervisor: Supervisor
    reloading: Reloader

    @classmethod
    def installed(cls, folder: Path) -> "Site":
        site, run_dir = folder / "site", folder / "run"
        site.mkdir()
        run_dir.mkdir()
        deployment, supervisor = Deployment(run_dir, RunOptions()), Supervisor([])
        plan = plan_at(site, fixed(Endpoint("127.0.0.1", 0)))
        assert deployment.check(plan).found == []
        deployment.install(plan)
        return cls(site, run_dir, supervisor, Reloader(plan, deployment, supervisor, lambda: compile_folder(site)))

    async def reload(self) -> ReloadResult:
        """The outcome of a reload, as `mms-gateway reload` reads it."""
        await self.reloading.reload()
        outcome = last(self.run_dir)
        assert outcome is not None
        return outcome

    def installed_revision(self) -> str:
        """The revision of the plan that an OS process would read now."""
        return plans.load(self.run_dir / "site.plan").revision


def plan_at(folder: Path, listen: Endpoint) -> Plan:
    """The plan of the site in `folder`, whose IED is to listen there from now on."""
    write_site(folder, ROWS, SITE.replace("127.0.0.1:0", str(listen)))
    plan = compile_folder(folder).plan
    assert plan is not None
    return plan


def test_a_port_that_somebody_else_has_keeps_the_old_site_and_a_free_one_is_taken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        site = Site.installed(tmp_path)
        before = site.reloading.plan.revision
        with socket.create_server(("127.0.0.1", 0)) as taken:
            wanted = Endpoint("127.0.0.1", taken.getsockname()[1])
            after = plan_at(site.folder, wanted).revision
            assert after != before
            refused = await site.reload()
            assert (refused.number, refused.taken, refused.revision) == (1, False, before)
            (text,) = refused.texts
            said = f"error[port]: IED IO cannot listen on {wanted}: address already in use"
            assert text.endswith(said)
            assert (site.reloading.plan.revision, site.installed_revision()) == (before, before)
            assert site.supervisor.facts("mms.IO") == {}
        try:
            outcome = await site.reload()
            assert (outcome.number, outcome.taken, outcome.revision) == (2, True, after)
            assert (site.reloading.plan.revision, site.installed_revision()) == (after, after)
            assert site.supervisor.facts("mms.IO")["mms"] == str(wanted)
        finally:
            await site.supervisor.stop()

    asyncio.run(scenario())
    assert caplog.messages.count("the changed site is refused: the old configuration stays") == 1
