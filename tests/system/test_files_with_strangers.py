"""Files as libIEC61850 fetches and puts them; it answers our FileOpen and FileRead on its own association."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mms_server import IedServer
from tests.support.libiec61850 import LibIec61850
from tests.support.running import ROOT

pytestmark = pytest.mark.system
DEMO = ROOT / "hw_configs" / "demo" / "demo.icd"
REJECTED_FILE = 22  # IED_ERROR_OBJECT_DOES_NOT_EXIST, what it makes of file-non-existent


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The server's files, beside those of the client (in the folder that libIEC61850 offers from)."""
    (tmp_path / "client" / "vmd-filestore").mkdir(parents=True)
    (tmp_path / "client" / "vmd-filestore" / "mine.txt").write_bytes(bytes(range(256)) * 1000)
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "there.txt").write_bytes(b"there" * 50_000)
    return tmp_path / "files"


@pytest.fixture
def client(folder: Path) -> Iterator[LibIec61850]:
    server = IedServer.from_scl(DEMO)
    server.serve_files(folder, obtain=True)
    server.start(port=0, host="127.0.0.1")
    one = LibIec61850(folder.parent / "client")
    assert one.ask("connect", server.port) == 0
    yield one
    one.ask("close")
    one.end()
    server.stop()


@pytest.mark.conformance("FT-1", "FT-2")
def test_a_file_is_listed_and_fetched_whole(client: LibIec61850, folder: Path) -> None:
    assert client.ask("files", "/") == {"there.txt": 250_000}
    assert client.ask("fetch", "there.txt", "got.txt") == [True, 0]
    assert (folder.parent / "client" / "got.txt").read_bytes() == (folder / "there.txt").read_bytes()


@pytest.mark.conformance("FT-4", "FT-N4")
def test_a_file_is_put_and_nothing_is_put_outside(client: LibIec61850, folder: Path) -> None:
    assert client.ask("put", "mine.txt", "new/mine.txt") == 0
    assert (folder / "new" / "mine.txt").read_bytes() == bytes(range(256)) * 1000
    assert client.ask("put", "mine.txt", "../mine.txt") == REJECTED_FILE
    assert client.ask("put", "none.txt", "none.txt") == REJECTED_FILE
    assert client.ask("put", "mine.txt", "there.txt") not in (0, REJECTED_FILE)
    assert sorted(path.name for path in folder.rglob("*")) == ["mine.txt", "new", "there.txt"]
    assert not (folder.parent / "mine.txt").exists()
