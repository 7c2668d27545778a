"""docs/devices.md: the entry of a profile and of its variants."""

from pathlib import Path

import pytest

from tools.devices_doc import document

BASE = """\
device: {maker: Acme, model: M1, manual: v1, aliases: [M2, M3]}
defaults: {order: cdab, max_registers: 20, pause: 100ms, max_gap: 0}
identify: {read: holding 11 uint16, equals: 7}
points:
  voltage_l1: {read: holding 0 uint16, unit: V, proposes: MMXU.PhV.phsA}
  import_energy: {read: holding 2 uint32, unit: Wh, proposes: MMTR.DmdWh}
"""
VARIANT = "device: {maker: Acme, model: M4}\nbase: acme-m1\ndefaults: {pause: 1s}\npoints: {import_energy: null}\n"


def rows(folder: Path) -> list[str]:
    return [line for line in document(folder).splitlines() if line.startswith("| `")]


def test_a_row_tells_whose_it_is_what_it_has_and_how_it_is_asked_and_a_variant_inherits(tmp_path: Path) -> None:
    (tmp_path / "acme-m1.yaml").write_text(BASE, encoding="utf-8")
    (tmp_path / "acme-m4.yaml").write_text(VARIANT, encoding="utf-8")
    asked = "words cdab, at most 20 registers, {} ms before each request, no hole read along"
    assert rows(tmp_path) == [
        f"| `acme-m1` | Acme M1 | M2, M3 | v1 | 2 | 2: MMTR MMXU | holding 11 | {asked.format(100)} |",
        f"| `acme-m4` | Acme M4 |  |  | 1 | 1: MMXU | holding 11 | {asked.format(1000)} |",
    ]


def test_a_profile_that_is_none_is_refused_with_its_diagnostic(tmp_path: Path) -> None:
    (tmp_path / "acme-m1.yaml").write_text(BASE.replace("uint32", "uint23"), encoding="utf-8")
    with pytest.raises(ValueError, match="`uint23` is no type, expected one of bool int16 "):
        document(tmp_path)
