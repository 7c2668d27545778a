"""The demo, started once for the tests that only look at it."""

from collections.abc import Iterator

import pytest

from tests.support.running import Gateway, running


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running(tmp_path_factory.mktemp("d"), "demo", "--mms-port", "0", "--http-port", "0") as gateway:
        yield gateway
