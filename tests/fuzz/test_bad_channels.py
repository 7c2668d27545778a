"""Bad channels, seed by seed: each scene of `tests/spec/acquisition/exchange/test_channels.py` and its families.

FUZZ_SEED is the first seed. A seed that fails is a case for tests/regressions, under the name of its scene.
"""

import os
from typing import Final

import pytest

from tests.support.channel_scenes import faults_of, play
from tests.support.scenes_of_lines import EVERY_SCENE, SOUND_LINES, unsound

EXAMPLES: Final = int(os.environ.get("FUZZ_EXAMPLES", "5000"))
SEEDS: Final = EXAMPLES // 25_000  # eight in `make fuzz`, none beside the ones of the suite
SOUND_EXCHANGES: Final = int(os.environ.get("SOUND_EXCHANGES", "100000"))  # ten million in `make fuzz`
FIRST: Final = int(os.environ.get("FUZZ_SEED", "9506"))

pytestmark = pytest.mark.skipif(not SEEDS, reason="only in `make fuzz`: the suite has the same scenes with fixed seeds")


@pytest.mark.parametrize("name", EVERY_SCENE)
def test_whatever_is_drawn_no_channel_makes_a_good_value_false(name: str) -> None:
    scene, protocols = EVERY_SCENE[name]
    failed = {
        (protocol, seed): found
        for protocol in protocols
        for seed in range(FIRST, FIRST + SEEDS)
        if (found := faults_of(play(scene, protocol, seed)))
    }
    assert failed == {}


@pytest.mark.parametrize("protocol", SOUND_LINES)
def test_in_ten_million_sound_exchanges_nothing_is_surplus_late_or_taken_back_and_no_condition_is_named(
    protocol: str,
) -> None:
    assert unsound(protocol, SOUND_EXCHANGES // len(SOUND_LINES), seed=FIRST) == []
