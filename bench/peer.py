"""libIEC61850's server as an OS process of the bench: run by an environment that has pyiec61850-ng, see `make peer`.

`PYTHON bench/peer.py MEASURANDS PORT`; the model is that of bench/model.py, made by API calls. Orders as in bench/ours.py.
It imports nothing of ours. Values are fed through ctypes, which costs the library less than the wheel's own binding. At
most five clients are compiled into that wheel.
"""

import ctypes
import pathlib
import select
import sys
import time

T0 = time.perf_counter()

import pyiec61850.pyiec61850 as api  # noqa: E402 - its start-up is measured

PER_NODE, INSTANCES = 100, 10
MEASURANDS, PORT = int(sys.argv[1]), int(sys.argv[2])
TRIGGERS = 1 | 2 | 16  # data change, quality change, GI
FIELDS = 1 | 2 | 4 | 8  # SqNum, time, reason, data set

model = api.IedModel_create("BENCH")
device = api.LogicalDevice_create("MAIN", model)
lln0 = api.LogicalNode_create("LLN0", device)
api.CDC_ENS_create("Beh", api.toModelNode(lln0), 0)
leaves = []
for number in range(max(-(-MEASURANDS // PER_NODE), 1)):
    node = api.toModelNode(api.LogicalNode_create(f"GGIO{number + 1}", device))
    api.CDC_ENS_create("Beh", node, 0)
    for place in range(min(PER_NODE, MEASURANDS)):
        measured = api.toModelNode(api.CDC_MV_create(f"AnIn{place + 1}", node, 0, False))
        leaves.append(
            (int(api.ModelNode_getChild(measured, "mag.f").this), int(api.ModelNode_getChild(measured, "t").this))
        )
reported = 0
for size in (100, 1000):
    if size <= MEASURANDS:
        reported = size
        data_set = api.DataSet_create(f"Set{size}", lln0)
        for index in range(size):
            item = f"GGIO{index // PER_NODE + 1}$MX$AnIn{index % PER_NODE + 1}"
            api.DataSetEntry_create(data_set, item, -1, None)
for number in range(INSTANCES if reported else 0):
    api.ReportControlBlock_create(
        f"urcb{number + 1:02d}", lln0, "urcb", False, f"Set{reported}", 1, TRIGGERS, FIELDS, 0, 0
    )
server = api.IedServer_create(model)
api.IedServer_setLocalIpAddress(server, "127.0.0.1")
api.IedServer_start(server, PORT)
if not api.IedServer_isRunning(server):
    sys.exit(1)
print(f"ready {PORT} {time.perf_counter() - T0:.4f}", flush=True)

folder = pathlib.Path(api.__file__).parents[1] / "pyiec61850_ng.libs"
library = ctypes.CDLL(str(next(folder.glob("libiec61850*.so*"))))
set_float, set_time = library.IedServer_updateFloatAttributeValue, library.IedServer_updateUTCTimeAttributeValue
set_float.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_float)
set_time.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint64)
address = int(server.this) if hasattr(server, "this") else int(server)
rate, count, tick, started = 0.0, 0, 0, 0.0
while True:
    wait = max(started + tick / rate - time.perf_counter(), 0) if rate else None
    if select.select([sys.stdin], [], [], wait)[0]:
        order = sys.stdin.readline()
        if not order:
            break
        rate, count = float(order.split()[1]), int(order.split()[2])
        tick, started = 0, time.perf_counter()
        continue
    tick += 1
    now_ms = int(time.time() * 1000)
    api.IedServer_lockDataModel(server)
    for value, stamp in leaves[:count]:
        set_float(address, value, float(tick))
        set_time(address, stamp, now_ms)
    api.IedServer_unlockDataModel(server)
api.IedServer_stop(server)
