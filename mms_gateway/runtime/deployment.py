"""A site in its run folder: the plan and the SCL files that its OS processes read, and the addresses that they have."""

import shutil
from pathlib import Path

from bus.endpoint import Endpoint
from mapping import plan as plans
from mapping.diagnostics import Diagnostics, Span, did_you_mean
from mapping.located_yaml.validated import nearest
from mapping.plan import Plan
from mms_gateway.runtime import preflight, processes
from mms_gateway.runtime.options import RunOptions
from mms_gateway.runtime.processes import Installation, Process


class Deployment:
    """Files and addresses for the OS processes of one run. It may be checked and installed again with another plan."""

    def __init__(self, folder: Path, options: RunOptions) -> None:
        self.folder = folder
        self.plan_file = folder / "site.plan"
        self._options = options
        self._listen: dict[
            str, tuple[Endpoint, Endpoint]
        ] = {}  # IED -> what the plan and the options ask for, what it has
        self._http: Endpoint | None = None  # of the status page

    def check(self, plan: Plan) -> Diagnostics:
        """Diagnostics of the addresses of `plan` that are new and cannot be bound, and of its state folder, which is made."""
        found, span = Diagnostics(), Span(plan.site_file)
        if not self._listen:
            self._named(plan, span, found)
        own = {asked for asked, _ in self._listen.values()}
        for ied, address in self._asked(plan).items():
            if address not in own:
                preflight.check(address, f"IED {ied}", f"--mms-port {ied}=10102", span, found)
        http = self._options.http()
        if http is not None and self._http is None:
            preflight.check(http, "the status page", "--http-port 8061", span, found)
        pair = self._options.pair()
        if pair is not None and not self._listen:
            preflight.check(pair.listen, "this half of the pair", "--peer-listen HOST:5563", span, found)
        if self._listen:
            preflight.state_is_known(self.state_dir(plan), found)
        elif not found.errors:
            preflight.make_state_folder(self.state_dir(plan), found)
        return found

    def _named(self, plan: Plan, span: Span, found: Diagnostics) -> None:
        """Say which of the IEDs that the options name the site does not have."""
        there = [ied.name for ied in plan.ieds]
        for ied in self._options.ports().keys() - set(there):
            hint = did_you_mean(nearest(ied, there) or there)
            found.error("unknown-ied", span, f"no IED `{ied}`, which `--mms-port` names", hint=hint)

    def install(self, plan: Plan) -> list[Process]:
        """Lay `plan` down, with copies of its SCL files; the OS processes that run it. Raises OSError."""
        listen = {ied: (asked, self._fixed(ied, asked)) for ied, asked in self._asked(plan).items()}
        http = self._options.http()
        if http is not None and self._http is None:
            self._http = preflight.fixed(http)
        copies = {ied.name: self.folder / f"{ied.name}.scl" for ied in plan.ieds}
        fresh = {ied.name: self.folder / f"{ied.name}.scl.new" for ied in plan.ieds}
        for ied in plan.ieds:
            shutil.copyfile(ied.scl, fresh[ied.name])
        plans.save(plan, self.plan_file)
        for name, path in fresh.items():
            path.replace(copies[name])
        self._listen = listen
        fixed = {ied: one for ied, (_, one) in listen.items()}
        there = Installation(self.folder, self.plan_file, fixed, copies, self._http, self.state_dir(plan))
        return processes.of_site(plan, there, self._options)

    def state_dir(self, plan: Plan) -> Path:
        """Where the site keeps what survives a restart."""
        return self._options.state_dir or Path(plan.site_file).parent / "state"

    def _asked(self, plan: Plan) -> dict[str, Endpoint]:
        asked, ports = {}, self._options.ports()
        for ied in plan.ieds:
            listen = Endpoint.parse_listen(ied.listen)
            if listen is not None:
                host = self._options.mms_host or listen.host
                asked[ied.name] = Endpoint(host, ports.get(ied.name, listen.port))
        return asked

    def _fixed(self, ied: str, asked: Endpoint) -> Endpoint:
        """Where the IED listens: as before, if it is asked for the same."""
        before, fixed = self._listen.get(ied, (None, None))
        return fixed if fixed is not None and before == asked else preflight.fixed(asked)
