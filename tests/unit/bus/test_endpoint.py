"""Endpoints: `host:port` with the brackets of IPv6, parsed and printed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.endpoint import Endpoint

HOSTS = st.one_of(st.ip_addresses().map(str), st.from_regex(r"[a-z][a-z0-9.-]{0,20}", fullmatch=True))


@given(HOSTS, st.integers(0, 65535))
def test_what_is_printed_is_parsed_to_the_same(host: str, port: int) -> None:
    assert Endpoint.parse(str(Endpoint(host, port))) == Endpoint(host, port)


@pytest.mark.parametrize(
    ("text", "host", "port", "shown"),
    [
        ("0.0.0.0:102", "0.0.0.0", 102, "0.0.0.0:102"),
        ("gateway.example:0", "gateway.example", 0, "gateway.example:0"),
        ("[::1]:65535", "::1", 65535, "[::1]:65535"),
        ("[fe80::1%eth0]:102", "fe80::1%eth0", 102, "[fe80::1%eth0]:102"),
        ("::1:102", "::1", 102, "[::1]:102"),  # as files of 0.1.0 may have it
        (":::102", "::", 102, "[::]:102"),
    ],
)
def test_an_endpoint_has_a_host_without_brackets_and_prints_with_them(
    text: str, host: str, port: int, shown: str
) -> None:
    found = Endpoint.parse(text)
    assert (found.host, found.port, str(found)) == (host, port, shown)


@pytest.mark.parametrize(
    "text",
    [
        "", ":", ":102", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:x", "127.0.0.1:²",
        "[::1]", "[]:102", "[::1:102", "::1]:102", "[127.0.0.1]:102", "a b:102", "http://a:102", "a:b:102", "none",
    ],
)  # fmt: skip
def test_what_is_no_endpoint_is_refused_in_our_words(text: str) -> None:
    with pytest.raises(ValueError, match="is no address") as raised:
        Endpoint.parse(text)
    assert str(raised.value) == f"`{text}` is no address, expected `host:port` as `0.0.0.0:102`"


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("inverter", "inverter", 502), ("inverter:1502", "inverter", 1502), ("10.0.0.5", "10.0.0.5", 502),
        ("::1", "::1", 502), ("[::1]", "::1", 502), ("[::1]:1502", "::1", 1502), ("2001:db8::5", "2001:db8::5", 502),
    ],
)  # fmt: skip
def test_a_text_without_a_port_has_the_usual_one(text: str, host: str, port: int) -> None:
    assert Endpoint.parse(text, 502) == Endpoint(host, port)


@pytest.mark.parametrize("text", ["", "a:", "[a]", "a:65536", "a b"])
def test_a_usual_port_makes_no_host_of_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="is no address"):
        Endpoint.parse(text, 502)


def test_none_is_nowhere_to_listen_and_anything_else_an_endpoint() -> None:
    assert Endpoint.parse_listen("none") is None
    assert Endpoint.parse_listen("[::]:102") == Endpoint("::", 102)
    with pytest.raises(ValueError, match="is no address"):
        Endpoint.parse_listen("None")


@pytest.mark.parametrize("port", [-1, 65536])
def test_there_is_no_port_beyond_65535(port: int) -> None:
    with pytest.raises(ValueError, match=rf"^port {port}, expected 0 to 65535$"):
        Endpoint("::1", port)


@pytest.mark.parametrize(
    ("host", "reached"), [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("10.0.0.5", "10.0.0.5"), ("::1", "::1")]
)
def test_who_listens_everywhere_is_reached_on_this_host(host: str, reached: str) -> None:
    assert Endpoint(host, 102).reachable() == Endpoint(reached, 102)


def test_another_port_leaves_the_host() -> None:
    assert Endpoint("::1", 0).at(102) == Endpoint("::1", 102)
