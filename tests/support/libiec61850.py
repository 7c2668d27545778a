"""libIEC61850 as a client in a process and an environment of its own: one command, one answer, reports in between."""

import contextlib
import json
import os
import queue
import subprocess
import threading
from pathlib import Path
from typing import Any

from tests.support import strangers
from tests.support.running import ROOT


class LibIec61850:
    """The client; see `tests/strangers/libiec61850_client.py` for its commands."""

    def __init__(self, folder: Path | None = None) -> None:
        """`folder`: where it runs, and has its files."""
        python = Path(os.environ.get("PEER_PYTHON", str(ROOT / ".venv-bench" / "bin" / "python")))
        if not python.exists():
            strangers.missing(f"{python}, made by `make peer`")
        self._process = subprocess.Popen(
            [str(python), str(ROOT / "tests" / "strangers" / "libiec61850_client.py")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder,
        )  # fmt: skip
        self._answers: queue.Queue[Any] = queue.Queue()
        self.reports: queue.Queue[Any] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said = json.loads(line)
            (self.reports if "report" in said else self._answers).put(said)

    def ask(self, *command: Any) -> Any:
        """The answer to one command."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        try:
            return self._answers.get(timeout=30)["answer"]
        except queue.Empty:
            raise AssertionError(f"libIEC61850 has not answered {command}") from None

    def end(self) -> None:
        """Let it end by itself."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)
        with contextlib.suppress(OSError):
            assert self._process.stdout is not None
            self._process.stdout.close()
