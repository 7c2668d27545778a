"""The contract of every behaviour: the engine walks it, once, and it has the methods that the engine calls."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator

import pytest

from mapping.model import FC, BasicType, LogicalNodeType
from mms_server import acsi
from mms_server.acsi.behaviour import NEVER, Behaviour, ControlBlocks
from mms_server.acsi.clients import Client
from mms_server.engine import Engine
from mms_server.model.tree import DataModel
from tests.support import models
from tests.support.engine_client import CLOCK, IDENTITY
from tests.support.models import leaf

TRACKING = models.data_object("GenTrk", "CST", leaf("objRef", BasicType.VIS_STRING_129, FC.SR))
LTRK = LogicalNodeType("LTRK", "LTRK", (TRACKING,))


def classes() -> Iterator[type[Behaviour]]:
    """Every class of the folder that is a behaviour."""
    for module in pkgutil.walk_packages(acsi.__path__, f"{acsi.__name__}."):
        for _, one in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if issubclass(one, Behaviour) and one.__module__ == module.name and one not in (Behaviour, ControlBlocks):
                yield one


BEHAVIOURS = sorted(classes(), key=lambda one: one.__name__)


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(DataModel(models.server(models.lln0(), models.node(models.MMXU), models.node(LTRK))), IDENTITY)


def test_the_engine_walks_every_behaviour_once(engine: Engine) -> None:
    walked = [type(one) for one in engine.behaviour.walked]
    assert sorted(walked, key=lambda one: one.__name__) == BEHAVIOURS


@pytest.mark.parametrize("kind", BEHAVIOURS, ids=lambda one: one.__name__)
class TestEveryBehaviour:
    def test_what_it_has_takes_what_the_engine_gives(self, kind: type[Behaviour]) -> None:
        asked = [name for name, _ in inspect.getmembers(Behaviour, inspect.isfunction)]
        for name in asked:
            own, whole = inspect.signature(getattr(kind, name)), inspect.signature(getattr(Behaviour, name))
            assert len(own.parameters) == len(whole.parameters), name

    def test_a_client_that_it_does_not_know_may_go(self, kind: type[Behaviour], engine: Engine) -> None:
        (one,) = (one for one in engine.behaviour.walked if type(one) is kind)
        one.closed(Client(9, "127.0.0.1:9", 65_000), CLOCK.now())

    def test_its_deadline_is_over_once_time_has_passed(self, kind: type[Behaviour], engine: Engine) -> None:
        (one,) = (one for one in engine.behaviour.walked if type(one) is kind)
        one.start(CLOCK.now())
        CLOCK.pass_ms(60_000)
        one.deadline(CLOCK.now())
        assert CLOCK.now().monotonic_ns < one.next_deadline_ns() <= NEVER


def test_a_slot_is_in_the_control_blocks_of_one_behaviour_at_most(engine: Engine) -> None:
    blocks = [one for one in engine.behaviour.walked if isinstance(one, ControlBlocks)]
    owned = [[one for one in blocks if one.owns(slot)] for slot in range(len(engine.model.cache.values))]
    assert max(map(len, owned)) == 1
    assert [engine.behaviour.owner(slot) for slot in range(len(owned))] == [one[0] if one else None for one in owned]
    assert {type(one[0]) for one in owned if one} == {type(one) for one in blocks}
