"""References: there and back between ACSI and MMS, and the errors of text that is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapping.model import FC
from mapping.references import ObjectReference

names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,12}", fullmatch=True)
steps = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,12}(\([0-9]{1,3}\))?", fullmatch=True)


@given(names, names, st.lists(steps, max_size=5).map(tuple), st.sampled_from([None, *FC]))
def test_a_reference_survives_its_own_text(ld: str, ln: str, path: tuple[str, ...], fc: FC | None) -> None:
    reference = ObjectReference(ld, ln, path, fc)
    assert ObjectReference.parse(str(reference)) == reference


@given(names, names, st.lists(names, max_size=5).map(tuple), st.sampled_from(list(FC)))
def test_an_item_leads_back_to_its_reference(ld: str, ln: str, path: tuple[str, ...], fc: FC) -> None:
    reference = ObjectReference(ld, ln, path, fc)
    assert ObjectReference.from_item(ld, reference.item()) == reference


def test_the_functional_constraint_comes_right_after_the_logical_node() -> None:
    assert ObjectReference.parse("LD0/MMXU1.TotW.mag.f").item(FC.MX) == "MMXU1$MX$TotW$mag$f"


WRONG = [
    ("MMXU1.TotW", "`MMXU1.TotW` has no `/` between logical device and logical node"),
    ("LD0/", "`` in `LD0/` is no name"),
    ("LD0/MMXU1..f", "`` in `LD0/MMXU1..f` is no name"),
    ("LD0/MMXU1.a b", "`a b` in `LD0/MMXU1.a b` is no name"),
    ("LD0/MMXU1.TotW [ZZ]", "`ZZ` in `LD0/MMXU1.TotW [ZZ]` is no functional constraint"),
]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_what_is_no_reference_is_told_which_part_is_wrong(text: str, message: str) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - the whole text is compared
        ObjectReference.parse(text)
    assert str(raised.value) == message
