"""The security keys of site.yaml, with the real processes: password, TLS, allow-list, writes; and what survives them."""

import shutil
import ssl
from contextlib import closing
from pathlib import Path

import pytest

from mms_server.mms.errors import DataAccessError
from tests.support.certificates import Authority
from tests.support.client import Client
from tests.support.running import ROOT, running
from tests.support.wire_data import bits, boolean, integer, text

pytestmark = pytest.mark.system
LD, NAME = "DEMOMAIN", "LLN0$DC$NamPlt$d"


def site_with(folder: Path, keys: str, listen: str = '"127.0.0.1:10102"') -> Path:
    """The demo's site, whose IED has `keys` as well."""
    site = Path(shutil.copytree(ROOT / "hw_configs" / "demo", folder / "site"))
    before = (site / "site.yaml").read_text(encoding="utf-8")
    after = before.replace('listen: "127.0.0.1:10102"}', f"listen: {listen}, {keys}}}")
    assert after != before
    (site / "site.yaml").write_text(after, encoding="utf-8")
    return site


@pytest.mark.conformance("ASS-N1", "SRV-6")
def test_a_password_and_the_policy_of_writes_hold_and_what_was_written_survives(tmp_path: Path) -> None:
    keys = "writes: {DC: allow, CF: deny}, security: {password_file: secret, allow: [127.0.0.0/8]}"
    site = site_with(tmp_path, keys)
    (site / "secret").write_text("testpw\n", encoding="utf-8")
    with running(tmp_path, "run", str(site), "--mms-port", "DEMO=0") as gateway:
        stranger, client = Client(gateway.mms_port), Client(gateway.mms_port)
        assert bytes.fromhex("a203020101") in stranger.associate()
        assert client.associate(b"testpw")[0] == 0x0E
        assert client.write(LD, (NAME, text("kept")), ("LLN0$CF$Mod$ctlModel", b"\x85\x01\x00")) == ["success", 3]
        client.close()
        stranger.close()
    assert (site / "state" / "DEMO.sqlite").exists()
    with running(tmp_path, "run", str(site), "--mms-port", "DEMO=0") as gateway:
        client = Client(gateway.mms_port)
        assert client.associate(b"testpw")[0] == 0x0E
        assert client.write(LD, (NAME, text("kept"))) == ["success"]
        client.close()


@pytest.mark.conformance("SRV-N4")
@pytest.mark.parametrize(
    ("policy", "answer"),
    [("allow", DataAccessError.HARDWARE_FAULT), ("deny", DataAccessError.OBJECT_ACCESS_DENIED)],
    ids=["asks the field, which is not there", "closed"],
)
def test_writes_close_a_setting_that_stands_in_a_register_too(tmp_path: Path, policy: str, answer: int) -> None:
    site = site_with(tmp_path, f"writes: {{SP: {policy}}}")
    model, grouped = site / "demo.icd", '<DA name="setVal" fc="SE" bType="INT32" dchg="true"/>'
    before = model.read_text(encoding="utf-8")
    after = before.replace(grouped, grouped.replace("SE", "SP"))
    assert after != before
    model.write_text(after, encoding="utf-8")
    with running(tmp_path, "run", str(site), "--mms-port", "DEMO=0") as gateway:
        client = Client(gateway.mms_port, timeout_s=10)
        assert client.associate()[0] == 0x0E
        assert client.write("DEMOFEED1", ("MSTA1$SP$EvTmms$setVal", integer(60_000))) == [answer]
        client.close()


def test_an_address_that_is_not_allowed_is_closed_at_once(tmp_path: Path) -> None:
    site = site_with(tmp_path, "security: {allow: [10.0.0.0/8]}")
    with (
        running(tmp_path, "run", str(site), "--mms-port", "DEMO=0") as gateway,
        closing(Client(gateway.mms_port)) as refused,
    ):
        assert refused.associate() == b""
    assert "address not on the allow-list" in gateway.log.read_text()


def test_a_site_may_speak_tls_only(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    cert, key = authority.issue("gateway")
    tls = f"{{cert: {cert}, key: {key}, ca: {authority.ca}, listen: '127.0.0.1:0', peers: [CN=scada]}}"
    site = site_with(tmp_path, f"security: {{tls: {tls}}}", listen="none")
    with running(tmp_path, "run", str(site)) as gateway:
        context = ssl.create_default_context(cafile=authority.ca)
        context.load_cert_chain(*authority.issue("scada"))
        client = Client(gateway.mms_port)
        client.socket = context.wrap_socket(client.socket, server_hostname="localhost")
        assert client.associate()[0] == 0x0E
        block = "LLN0$RP$urcbStatus01"
        pairs = [
            (f"{block}$TrgOps", bits("011111")),
            (f"{block}$RptEna", boolean(True)),
            (f"{block}$GI", boolean(True)),
        ]
        assert client.write("DEMOIO", *pairs) == ["success"] * 3
        whole = client.report()
        assert whole is not None
        assert whole.inclusion == "111111"
        client.close()
        with closing(Client(gateway.mms_port)) as refused:
            assert refused.associate() == b""


def test_serve_speaks_tls_with_its_three_options(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    cert, key = authority.issue("gateway")
    options = ("--tls-cert", cert, "--tls-key", key, "--tls-ca", authority.ca)
    with running(tmp_path, "serve", "hw_configs/demo/demo.icd", "--port", "0", *options) as gateway:
        context = ssl.create_default_context(cafile=authority.ca)
        context.load_cert_chain(*authority.issue("scada"))
        client = Client(gateway.mms_port)
        client.socket = context.wrap_socket(client.socket, server_hostname="localhost")
        assert client.associate()[0] == 0x0E
        client.close()
