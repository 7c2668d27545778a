"""The programs of the bench run, and say what they measure; what they measure is no matter here.

The exception is `bench.torture`: it sees wrong values on a bad line, and none on a sound one.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["bench.lines", "--seconds", "0.5", "--baud", "115200", "--registers", "2"],
            r" 115200 +2 .*%\nleast ratio .*%\n",
        ),
        (["bench.lines", "--late", "0.01", "--reads", "50", "--timeout", "1000"], r"115200 baud, .* 0 wrong; .*\n"),
        (["bench.meters", "--meters", "10", "--every-ms", "200", "--seconds", "2"], r"10 meters"),
        (
            ["bench.torture", "--gateway", "plain", "--scene", "L0", "--scene", "L2", "--seconds", "1"],
            r"\| L0 \|.*\| plain \| \d+ \| 0 \| 0 \| 100% \|.*\n\| L2 \|.*\| plain \| \d+ \| [1-9]\d* \|",
        ),
    ],
)
def test_a_bench_of_lines_runs(words: list[str], said: str) -> None:
    command = [sys.executable, "-m", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(said, done.stdout), done.stdout
