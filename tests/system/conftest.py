"""The demo, started once for the tests that only look at it; and one system test at a time."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.running import Gateway, running

FOLDER = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One group for all system tests: they keep time, and two at once would disturb each other."""
    for item in items:
        if item.path.is_relative_to(FOLDER):
            item.add_marker(pytest.mark.xdist_group("system"))


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running(tmp_path_factory.mktemp("d"), "demo", "--mms-port", "0", "--http-port", "0") as gateway:
        yield gateway
