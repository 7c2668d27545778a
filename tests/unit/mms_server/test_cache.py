import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.quality import UtcTime
from mms_server.model.cache import Cache, Changes
from mms_server.model.tree import DataModel
from mms_server.stack import ber
from tests.support import models


def whole(cache: Cache, slot: int) -> bytes:
    """The Data of a node, put together from its leaves without the cache."""
    node = cache.nodes[slot]
    if node.kind is not None:
        return node.kind.encode(cache.values[slot])  # type: ignore[arg-type]
    return ber.tlv(node.tag, b"".join(whole(cache, slot + offset) for offset in node.offsets))


def assert_sound(cache: Cache) -> None:
    """Assert the invariant: below an encoded node all kept nodes are encoded, and each has the octets of its leaves."""
    for slot, (octets, node) in enumerate(zip(cache.octets, cache.nodes, strict=True)):
        assert octets is None or (node.kept and octets == whole(cache, slot))
        if node.kept and node.above and cache.octets[slot - node.above] is not None:
            assert octets is not None


SERVER = models.server(models.node(models.MMXU), models.node(models.GGIO))
MODEL = DataModel(SERVER)
FLOATS = [slot for slot in MODEL.leaves() if MODEL.node(slot).name == b"f"]
NODES = range(len(MODEL.cache.nodes))
commits = st.lists(st.tuples(st.sampled_from(FLOATS), st.sampled_from([0.0, -0.0, 1.0, math.nan, 1e9])), max_size=6)


@settings(max_examples=60)
@given(st.lists(st.one_of(st.sampled_from(NODES), commits), max_size=12))
def test_an_encoded_node_has_only_encoded_children_whatever_is_read_and_committed(
    steps: list[int | list[tuple[int, float]]],
) -> None:
    cache = DataModel(SERVER).cache
    for step in steps:
        if isinstance(step, int):
            assert cache.read(step) == whole(cache, step)
        else:
            cache.commit(step)
        assert_sound(cache)


def test_a_commit_encodes_each_leaf_once_however_large_the_model_is() -> None:
    for count in (2, 200):
        model = DataModel(models.server(*(models.node(models.MMXU, str(number)) for number in range(count))))
        for placed in model.domains[b"DEMOLD0"].nodes.values():
            model.cache.read(placed.base)
        slots = [model.find(f"LD0/MMXU1.TotW.{name}") for name in ("mag.f", "q", "t")]
        before = model.cache.encodings
        model.cache.commit(zip(slots, (1.0, 0, 1.7e9), strict=True))
        assert model.cache.encodings - before == 3
        cleared = [slot for slot, octets in enumerate(model.cache.octets) if octets is None and model.node(slot).kept]
        assert [str(model.reference(slot)) for slot in cleared] == [
            "DEMOLD0/MMXU1 [MX]",
            "DEMOLD0/MMXU1.TotW [MX]",
        ]


def test_a_whole_logical_node_is_not_kept() -> None:
    model = DataModel(SERVER)
    base = model.find("LD0/MMXU1")
    assert model.cache.read(base) == whole(model.cache, base)
    assert model.cache.octets[base] is None
    assert model.cache.octets[model.find("LD0/MMXU1 [MX]")] is not None


def slots(model: DataModel) -> dict[str, int]:
    return {name: model.find(f"LD0/MMXU1.TotW.{name}") for name in ("mag.f", "q", "t", "db", "d")}


def test_changes_are_told_by_what_the_attribute_triggers() -> None:
    model = DataModel(SERVER)
    at = slots(model)
    changes = model.cache.commit([(at["mag.f"], 1.5), (at["q"], 0b01 << 11), (at["t"], 5.0), (at["d"], "feeder")])
    assert changes == Changes([at["mag.f"]], [at["q"]], [])


def test_a_value_written_again_is_no_change_but_an_update_where_updates_trigger() -> None:
    model = DataModel(SERVER)
    at = slots(model)
    model.cache.commit([(at["mag.f"], 1.5), (at["db"], 100)])
    assert model.cache.commit([(at["mag.f"], 1.5), (at["q"], 0), (at["db"], 100)]) == Changes([], [], [at["db"]])


def test_a_nan_that_stays_is_no_change_and_a_minus_zero_is_one() -> None:
    model = DataModel(SERVER)
    slot = slots(model)["mag.f"]
    assert model.cache.commit([(slot, math.nan)]).dchg == [slot]
    assert model.cache.commit([(slot, -math.nan)]).dchg == []
    assert model.cache.commit([(slot, 0.0)]).dchg == [slot]
    assert model.cache.commit([(slot, -0.0)]).dchg == [slot]


def test_what_a_single_cannot_tell_apart_is_no_change() -> None:
    model = DataModel(SERVER)
    slot = slots(model)["mag.f"]
    model.cache.commit([(slot, 0.1)])
    assert model.cache.commit([(slot, 0.1 + 1e-12)]).dchg == []
    assert model.value(slot) == 0.10000000149011612


def test_a_commit_with_one_value_that_does_not_fit_changes_nothing() -> None:
    model = DataModel(SERVER)
    at = slots(model)
    before = list(model.cache.octets)
    with pytest.raises(ValueError, match="-1, expected"):
        model.cache.commit([(at["mag.f"], 3.0), (at["db"], -1)])
    with pytest.raises(TypeError, match="a structure, expected one of its attributes"):
        model.cache.commit([(at["mag.f"], 3.0), (model.find("LD0/MMXU1.TotW.mag"), 3.0)])
    assert model.cache.octets == before
    assert model.value(at["mag.f"]) == 0.0


def test_values_are_read_back_as_python() -> None:
    model = DataModel(SERVER)
    at = slots(model)
    model.cache.commit([(at["mag.f"], 4.5), (at["t"], 1_704_067_200.0)])
    assert model.value(model.find("LD0/MMXU1.TotW [MX]")) == {
        "mag": {"f": 4.5},
        "q": 0,
        "t": UtcTime(1_704_067_200_000_000_000),
    }
