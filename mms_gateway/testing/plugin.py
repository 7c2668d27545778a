"""The pytest plugin: `pytest --site SITE` gives `field`, `gateway` and `mms`, for hardware-in-the-loop tests of a site.

    simulated_site (session) ─► field                      devices on the site's real lines, as new after each test
                    └─► gateway (session) ─► mms_for ─► mms      clients, closed after each test

Every pytest run where the package is installed imports this file: it imports nothing of ours before `--site` is given. A
project may have packages of our names (`bus`, `mapping`): without `--site` they are no concern of ours, with it the run ends.
"""

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from mms_gateway.testing.field import Field
    from mms_gateway.testing.running import RunningGateway, SimulatedSite
    from mms_server.client.client import MmsClient

_LOG: Final = pytest.StashKey[Path]()
_GATEWAY: Final = pytest.StashKey["RunningGateway"]()
_CHANGED: Final = pytest.StashKey[bool]()  # by the test before


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--site SITE`."""
    group = parser.getgroup("mms-gateway", "IEC 61850 gateway")
    group.addoption(
        "--site",
        dest="mms_gateway_site",
        metavar="SITE",
        help="a site.yaml, or its folder: its devices are simulated, its gateway runs",
    )


def pytest_configure(config: pytest.Config) -> None:
    """With `--site`: end the run if a package of another project hides one of ours."""
    if config.getoption("mms_gateway_site") is not None:
        hidden = _hidden()
        if hidden is not None:
            raise pytest.UsageError(hidden)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Look once more: collecting has put the folders of tests on sys.path, and imported what they import."""
    if session.config.getoption("mms_gateway_site") is not None:
        hidden = _hidden()
        if hidden is not None:
            pytest.exit(hidden, returncode=pytest.ExitCode.USAGE_ERROR)


def _hidden() -> str | None:
    from mms_gateway.shadowed_packages import shadowed

    found = shadowed()
    return None if found is None else f"--site: {found}"


@pytest.fixture(scope="session")
def simulated_site(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator["SimulatedSite"]:
    """The site of `--site`, its lines answered by simulated devices."""
    given = pytestconfig.getoption("mms_gateway_site")
    if given is None:
        pytest.fail("which site? `pytest --site SITE` says, a site.yaml or its folder", pytrace=False)
    from mms_gateway.testing.running import NotRunning, simulated

    site = pytestconfig.invocation_params.dir / given
    try:
        with simulated(site, tmp_path_factory.mktemp("site")) as found:
            yield found
    except NotRunning as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture
def field(simulated_site: "SimulatedSite", pytestconfig: pytest.Config) -> Iterator["Field"]:
    """The site's devices by name, to be set, broken and looked at; as new after each test.

    Where the test before has changed something, the gateway has read everything anew before this one begins.
    """
    from mms_gateway.testing.running import NotRunning

    gateway = pytestconfig.stash.get(_GATEWAY, None)
    if pytestconfig.stash.get(_CHANGED, False) and gateway is not None:
        try:
            gateway.see_all_as_new()
        except NotRunning as error:
            pytest.fail(str(error), pytrace=False)
    pytestconfig.stash[_CHANGED] = False
    yield simulated_site.field
    pytestconfig.stash[_CHANGED] = simulated_site.field.renew()


@pytest.fixture(scope="session")
def gateway(simulated_site: "SimulatedSite", pytestconfig: pytest.Config) -> Iterator["RunningGateway"]:
    """The site's real OS processes, started once."""
    from mms_gateway.testing.running import NotRunning, running

    try:
        with running(simulated_site) as found:
            pytestconfig.stash[_LOG] = found.log
            found.settle()
            pytestconfig.stash[_GATEWAY] = found
            yield found
    except NotRunning as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture
def mms_for(gateway: "RunningGateway", field: "Field") -> Iterator[Callable[..., "MmsClient"]]:
    """`mms_for("IED")`: one more client, of that IED; closed after the test."""
    del field  # what a client has commanded is undone after the test
    clients: list[MmsClient] = []

    def associated(ied: str | None = None, **options: Any) -> "MmsClient":
        clients.append(gateway.connect(ied, **options))
        return clients[-1]

    yield associated
    for client in clients:
        client.close()


@pytest.fixture
def mms(mms_for: Callable[..., "MmsClient"]) -> "MmsClient":
    """A client of the site's first IED."""
    return mms_for()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the gateway logged last beside a test that fails on it."""
    report = yield
    log = item.config.stash.get(_LOG, None)
    if log is not None and report.failed and "gateway" in getattr(item, "fixturenames", ()):
        from mms_gateway.testing.running import tail

        report.sections.append(("the gateway's log, the last lines", tail(log)))
    return report
