"""JSON log lines of an MMS server say by fields which IED, which association and which peer they are about."""

from mms_server import IedServer
from tests.support.client import Client
from tests.support.log_lines import json_log, objects
from tests.support.running import ROOT, until

DEMO = ROOT / "hw_configs" / "demo" / "demo.icd"


def test_lines_of_two_associations_and_of_a_refused_peer_carry_their_number_and_their_peer() -> None:
    server = IedServer.from_scl(DEMO)
    with json_log("mms.DEMO", ied="DEMO") as text:
        server.start(port=0, host="127.0.0.1")
        try:
            peers = [Client(server.port or 0) for _ in range(3)]
            for peer in peers[:2]:
                assert peer.associate()[0] == 0x0E
            addresses = [f"127.0.0.1:{peer.socket.getsockname()[1]}" for peer in peers]
            peers[2].socket.sendall(b"GET / HTTP/1.1\r\n\r\n")
            for peer in peers[:2]:
                peer.close()
            until(lambda: len(objects(text, "mms.association")) == 5, 5)
        finally:
            server.stop()
            for peer in peers:
                peer.close()
    shown = objects(text, "mms.association")
    for number, address in enumerate(addresses[:2], 1):
        common = {"process": "mms.DEMO", "ied": "DEMO", "assoc": number, "peer": address}
        events = [one.pop("event") for one in [dict(one) for one in shown] if one["assoc"] == number]
        assert events[0].startswith("associated, PDU ")
        assert events[1].startswith("association ended: ")
        assert [one for one in shown if one["assoc"] == number] == [{**common, "event": event} for event in events]
    (refused,) = [one for one in shown if one["assoc"] == 3]
    assert (refused["ied"], refused["peer"], refused["event"][:16]) == ("DEMO", addresses[2], "no association: ")
