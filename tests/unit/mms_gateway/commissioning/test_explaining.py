"""An attribute's whole path, of the demonstration site."""

from pathlib import Path

import pytest

from mms_gateway.cli import main
from mms_gateway.commissioning.explain.explaining import explain
from mms_gateway.commissioning.explain.name_lookup import NotThereError
from mms_gateway.commissioning.explain.reference_lookup import named
from tests.support.sites import compile_folder, write_site

DEMO = Path(__file__).parents[4] / "hw_configs" / "demo"
COMPILED = compile_folder(DEMO)


def explained(reference: str) -> dict[str, str]:
    return {word: text.replace(f"{DEMO}/", "") for word, text in explain(COMPILED, named(COMPILED, reference))}


def line_of(file: str, text: str) -> int:
    lines = (DEMO / file).read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


def test_a_measurement_is_followed_from_the_scl_file_to_its_register() -> None:
    found = explained("FEED2/MMXU1.PhV.phsA.cVal.mag.f")
    assert found["MMS"] == "DEMOFEED2/MMXU1$MX$PhV$phsA$cVal$mag$f"
    assert found["type"] == "FLOAT32, FC MX"
    cmv = line_of("demo.icd", 'id="CMV-V"')
    assert found["object"].startswith("FEED2/MMXU1.PhV.phsA, CDC CMV, type CMV-V, demo.icd:")
    assert found["declared"].startswith("demo.icd:")
    assert cmv > 0
    assert found["row"] == f"`FEED2/MMXU1`, map.yaml:{line_of('map.yaml', 'FEED2/MMXU1:')}"
    assert found["point"] == "feeder2.voltage_l1 in V"
    assert found["device"] == "feeder2, unit 2, profile carlo-gavazzi-em340"
    assert found["line"] == "rs485-1: modbus-rtu demo-rs485 19200 8 even 1"
    assert found["read from"] == "holding 0 int32 cdab"
    assert found["value"] == "raw * 0.1 V"
    assert found["data set"] == "FEED2/LLN0.Measurements, member 5 of 8"
    assert found["report"].startswith("URCB FEED2/LLN0.urcbMeasurements01..urcbMeasurements04, demo.icd:")
    assert found["timing"] == ("time-out 500 ms, 1 retries, stale after 3000 ms; 2147483647 means no measurement")
    assert found["quality"] == (
        "q DEMOFEED2/MMXU1$MX$PhV$phsA$q; t DEMOFEED2/MMXU1$MX$PhV$phsA$t; "
        "no answer: invalid (failure, oldData), refused: invalid (failure)"
    )


def test_a_data_object_means_its_value_and_its_own_row_wins() -> None:
    found = explained("FEED1/MMXU1.TotW")
    assert found["MMS"] == "DEMOFEED1/MMXU1$MX$TotW$mag$f"
    assert found["row"] == f"`FEED1/MMXU1.TotW`, map.yaml:{line_of('map.yaml', 'FEED1/MMXU1.TotW')}"
    assert found["deadband"] == "5 in the object's unit"


def test_a_control_is_followed_to_its_coil_and_its_proof() -> None:
    found = explained("IO/CSWI1.Pos.stVal")
    assert found["value"] == "0 becomes 0, 1 becomes 1, 2 becomes 2, 3 becomes 3"
    assert found["command"] == "writes io1.breaker, coil 4 bool on line lan-3"
    assert found["proof"] == "io1.position shows it within 5000 ms, all within 2000 ms"
    assert found["allowed"] == "only if not io1.relay4"
    assert found["log"] == "IO/LLN0.logStatus into DEMOIO/LLN0$IO"


def test_a_quality_names_the_point_that_it_follows_and_no_conversion() -> None:
    found = explained("SCALE/GGIO1.AnIn1.q")
    assert (found["point"], "value" in found) == ("scale.weight in kg", False)
    assert found["read from"].startswith("'SI\\r\\n', `value` of ")


def test_the_domain_is_as_good_as_the_inst() -> None:
    assert explained("DEMOFEED1/MMXU1.TotW") == explained("FEED1/MMXU1.TotW")


def test_what_the_server_makes_itself_is_said_so() -> None:
    assert explained("MAIN/LLN0.Mod.stVal")["fed by"] == (
        "nothing of the field: the server's own, or the value that the file gives it"
    )


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        ("FEED9/MMXU1.TotW", "no logical device `FEED9` in this site: did you mean `FEED1` or `FEED2`?"),
        ("FEED1/MMXU2.TotW", "no logical node `MMXU2` in FEED1: did you mean `MMXU1`?"),
        ("FEED1/MMXU1.TotX", "no data object `TotX` in FEED1/MMXU1: did you mean `TotW`, `TotVA` or `TotVAr`?"),
        (
            "FEED1/MMXU1.TotW.mag",
            "`FEED1/MMXU1.TotW.mag` is a structure without a value of its own, expected one of its parts: f",
        ),
        ("TotW", "`TotW` has no `/` between logical device and logical node"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(reference: str, text: str) -> None:
    with pytest.raises(NotThereError) as raised:
        named(COMPILED, reference)
    assert str(raised.value) == text


def test_a_whole_node_is_no_attribute() -> None:
    with pytest.raises(NotThereError, match=r"^`FEED1/MMXU1` is a whole logical node, expected a data object of it"):
        named(COMPILED, "FEED1/MMXU1")


def test_process_data_without_a_row_is_invalid_for_ever(tmp_path: Path) -> None:
    compiled = compile_folder(write_site(tmp_path, "points:\n  LD0/GGIO1.AnIn3: io1.temperature\n"))
    sections = dict(explain(compiled, named(compiled, "LD0/GGIO1.Ind1.q")))
    assert sections["fed by"] == "nothing: process data without a row, invalid for ever"


def test_a_site_with_errors_is_explained_as_far_as_the_model_goes(tmp_path: Path) -> None:
    compiled = compile_folder(write_site(tmp_path, "points:\n  LD0/GGIO1.AnIn3: io1.nonsense\n"))
    sections = dict(explain(compiled, named(compiled, "LD0/GGIO1.AnIn3")))
    assert sections["map"] == "not known while the site has errors: `mms-gateway check` shows them"


def test_the_command_prints_it_and_says_that_nothing_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(DEMO), "IO/CSWI1.Pos"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert (out[0], out[1], out[-1].split()) == (
        "IO/CSWI1.Pos.stVal",
        "  MMS        DEMOIO/CSWI1$ST$Pos$stVal",
        ["now", "no", "gateway", "runs", "here"],
    )
    assert main(["explain", str(DEMO), "IO/CSWI1.Pod"]) == 2
    assert capsys.readouterr().err == "mms-gateway: no data object `Pod` in IO/CSWI1: did you mean `Pos`?\n"
