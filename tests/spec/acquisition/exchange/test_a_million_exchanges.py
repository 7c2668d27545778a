"""A million exchanges on bad channels, over every driver: the scenes in turn, each time with the next seed.

CHANNEL_SEED is the first seed, CHANNEL_EXCHANGES the number of exchanges. A seed that fails becomes a named regression.
"""

import os
from typing import Final

import pytest

from tests.support.channel_scenes import faults_of
from tests.support.scenes_of_lines import plays

EXCHANGES: Final = int(os.environ.get("CHANNEL_EXCHANGES", "1000000"))
FIRST: Final = int(os.environ.get("CHANNEL_SEED", "100"))
PARTS: Final = 8  # which run beside each other


@pytest.mark.parametrize("part", range(PARTS))
def test_in_a_million_exchanges_no_channel_makes_a_good_value_false(part: int) -> None:
    failed = {
        (name, protocol, seed): found
        for name, protocol, seed, played in plays(EXCHANGES // PARTS, FIRST, part, PARTS)
        if (found := faults_of(played))
    }
    assert failed == {}
