"""The pytest plugin is loaded in every run where the package is installed: that must cost nothing."""

import subprocess
import sys
from importlib.metadata import entry_points


def test_the_package_brings_the_plugin() -> None:
    (found,) = entry_points(group="pytest11", name="mms_gateway")
    assert found.value == "mms_gateway.testing.plugin"


def test_the_plugin_loads_nothing_of_ours_but_itself() -> None:
    code = (
        "import sys, pytest; before = set(sys.modules); import mms_gateway.testing.plugin; "
        "print(sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['mms_gateway', 'mms_gateway.testing', 'mms_gateway.testing.plugin']"
