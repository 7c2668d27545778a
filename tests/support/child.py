"""A process for the supervisor to keep: says that it is ready, and then what its argument says."""

import sys
import time

mode = sys.argv[1]
if mode == "unfit":
    sys.exit(2)
print('ready {"mode": "%s"}' % mode, flush=True)  # noqa: UP031
if mode == "crashing":
    sys.exit(7)
while mode in ("takes", "refuses"):
    print("alive", flush=True)
    if sys.stdin.readline() == "reload\n":
        print('reloaded {"refused": %s}' % ("null" if mode == "takes" else '"another model"'), flush=True)
    else:
        sys.exit(0)
while mode == "well":
    print("alive", flush=True)
    time.sleep(0.1)
sys.stdin.read()  # silent until the supervisor is gone
