"""A program that embeds the library and counts: each number is written to a file, then is the value of a counter.

python -m tests.support.counting STATE_DIR PORT TRUTH        ends when it is killed, or when its stdin closes
"""

import sys
import threading
import time
from pathlib import Path

from mms_server import IedServer

DEMO = Path(__file__).parents[2] / "hw_configs" / "demo" / "demo.icd"
COUNTER = "MAIN/MMTR1.DmdWh.actVal"
PAUSE_S = 0.002


def main() -> None:
    state_dir, port, truth = sys.argv[1:4]
    written = Path(truth)
    number = int(written.read_text().split()[-1]) if written.exists() and written.read_text().strip() else 0
    server = IedServer.from_scl(DEMO, state_dir=state_dir)
    server.update({COUNTER: number}, quiet=True)
    server.start(port=int(port), host="127.0.0.1")
    sys.stdout.write(f"ready {server.port}\n")
    sys.stdout.flush()
    ended = threading.Event()

    def end_with_stdin() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=end_with_stdin, daemon=True).start()
    with written.open("a") as file:
        while not ended.is_set():
            number += 1
            file.write(f"{number}\n")
            file.flush()
            server.update({COUNTER: number})
            time.sleep(PAUSE_S)
    server.stop()


if __name__ == "__main__":
    main()
