"""The site of docs/lines.md: a device on every kind of line, simulated on what really carries it, all of it good at MMS."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from acquisition.drivers.registry import by_protocol
from bus import quality
from tests.support import strangers
from tests.support.certificates import Authority
from tests.support.running import ROOT, running, until
from tests.support.sites import INPUTS_OF_LINES, with_inputs

pytestmark = pytest.mark.system
LINES = ("bench", "converter", "drives", "lan", "meters", "modules", "optical", "radio", "safe", "scale", "terminal")
POINTS = [*(f"MX$AnIn{number}" for number in range(1, 12)), "ST$Ind1", "ST$SPCSO1"]


def site_of_the_page(folder: Path) -> Path:
    page = (ROOT / "docs" / "lines.md").read_text(encoding="utf-8")
    for name, text in re.findall(r"^```yaml file=lines/(\S+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        (folder / name).write_text(text.replace("/dev/", f"{folder}/"), encoding="utf-8")
    (folder / "lines.icd").write_text(with_inputs(INPUTS_OF_LINES), encoding="utf-8")
    Authority(folder, "ca").issue("gateway")
    return folder


@contextmanager
def simulated(site: Path) -> Iterator[dict[str, str]]:
    """`mms-gateway simulate` until the block ends: where it answers each line."""
    command = [sys.executable, "-m", "mms_gateway", "simulate", str(site)]
    environment = os.environ | {"TMPDIR": str(site)}
    with (site / "simulate.txt").open("w") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=ROOT, env=environment)
    try:
        assert process.stdout is not None
        said = [process.stdout.readline().split() for _ in LINES]
        yield {words[1]: " ".join(words[3:]) for words in said}
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()
    assert process.returncode == 0, (site / "simulate.txt").read_text()


def is_good(client: Any, item: str) -> bool:
    octets = client.read(f"IOLD0/GGIO1${item}$q").value
    raw = octets[0] if isinstance(octets, tuple) else octets
    return quality.is_good(int.from_bytes(bytes(raw)[:2], "big") >> 3)


def test_a_site_with_every_kind_of_line_has_good_values_everywhere_within_15_seconds(tmp_path: Path) -> None:
    site = site_of_the_page(tmp_path)
    written = (site / "site.yaml").read_text(encoding="utf-8")
    assert set(re.findall(r"protocol: ([a-z0-9-]+)", written)) == set(by_protocol())
    with simulated(site) as where:
        assert sorted(where) == sorted(LINES)
        assert where["meters"] == str(site / "ttyUSB0")
        assert where["bench"] == "its worker"
        assert re.fullmatch(r"127\.0\.0\.1:[0-9]+", where["safe"])
        overlay = str(site / "state" / "simulated.yaml")
        with running(tmp_path, "run", str(site), "--lines", overlay, "--mms-port", "IO=0") as gateway:
            client = strangers.module("open61850.mms.client").MmsClient.connect("127.0.0.1", gateway.mms_port)

            def bad() -> list[str]:
                return [item for item in POINTS if not is_good(client, item)]

            until(lambda: not bad(), 15, lambda: f"{bad()}: {gateway.log.read_text()}")
            voltage = float(client.read("IOLD0/GGIO1$MX$AnIn9$mag$f").value)
            assert 220 < voltage < 240
            client.close()
    assert not [path for path in site.iterdir() if path.name.startswith("ttyUSB")]


def said(site: Path, *words: str) -> str:
    """The output of `mms-gateway WORDS`, over the lines that `simulate` has answered."""
    overlay = str(site / "state" / "simulated.yaml")
    command = [sys.executable, "-m", "mms_gateway", words[0], str(site), *words[1:], "--lines", overlay]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=60)
    return done.stdout + done.stderr


def test_a_scale_behind_a_device_server_is_read_by_hand_and_heard_by_the_doctor(tmp_path: Path) -> None:
    site = site_of_the_page(tmp_path)
    with simulated(site) as where:
        assert re.fullmatch(r"127\.0\.0\.1:[0-9]+", where["terminal"])
        read = said(site, "read", "bridge", "gross")
        assert re.search(r"^gross +[0-9.]+ +kg +good +GR +[0-9.]+ kg +[0-9.]+$", read, re.MULTILINE), read
        doctor = said(site, "doctor")
        assert "terminal: bridge, unit 1: answers\n" in doctor
