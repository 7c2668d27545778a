"""Options of commands: each is described, and they say what they mean together."""

import re
from dataclasses import fields

import pytest

from bus.endpoint import Endpoint
from mms_gateway.cli import main
from mms_gateway.runtime.options import RunOptions, ServeOptions, SimulateOptions
from mms_server.redundancy.standby import PairOptions


@pytest.mark.parametrize("options", [RunOptions, ServeOptions, SimulateOptions])
def test_every_option_is_described_and_nothing_else_is(options: type[RunOptions]) -> None:
    described = re.findall(r"^    (\w+)$", (options.__doc__ or "").partition("----------\n")[2], re.MULTILINE)
    assert described == [one.name for one in fields(options)]


@pytest.mark.parametrize(
    ("command", "options"), [("run", RunOptions), ("serve", ServeOptions), ("simulate", SimulateOptions)]
)
def test_the_command_line_has_the_options_of_the_class_and_no_other(
    command: str, options: type[RunOptions], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "--help"]) == 0
    shown = re.findall(r"^│ --([a-z-]+)", capsys.readouterr().out, re.MULTILINE)
    assert shown == [one.name.replace("_", "-") for one in fields(options)]


def test_ports_are_by_ied_and_the_last_word_counts() -> None:
    assert RunOptions().ports() == {}
    assert RunOptions(mms_port=["A=0", "B=102", "A=65535"]).ports() == {"A": 65535, "B": 102}


@pytest.mark.parametrize("given", ["A", "A=", "A=x", "A=65536", "A=-1"])
def test_what_names_no_port_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match=rf"^--mms-port takes IED=PORT, not `{given}`$"):
        RunOptions(mms_port=["B=1", given]).check()


def test_there_is_a_status_page_where_it_has_a_port() -> None:
    assert RunOptions(http_host="::1").http() is None
    assert RunOptions(http_host="::1", http_port=0).http() == Endpoint("::1", 0)


def test_a_pair_has_both_addresses_and_is_no_pair_without_any() -> None:
    assert RunOptions(takeover_after=5).pair() is None
    found = RunOptions(peer="[::1]:1", peer_listen="a:2", standby=True, takeover_after=1.0).pair()
    assert found == PairOptions(Endpoint("::1", 1), Endpoint("a", 2), first=False, takeover_after_s=1.0)
