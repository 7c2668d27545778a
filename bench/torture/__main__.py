"""Channels with faults in front of a gateway, and the values that it then shows as good.

    python -m bench.torture [--gateway ours|plain|both] [--scene L1 ...] [--seconds S] [--out FILE]
    python -m bench.torture --host H --port P --scene L1 [--line-port N] [--folder F] [--items FILE]

The second form is for any other gateway: it prints the address of the simulated line and the folder of the site's files,
waits until the gateway serves all points of the scene with good quality, and measures. docs/torture.md has the steps, and the
lines of FILE.
"""

import argparse
import asyncio
import sys
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

from bench.torture import table
from bench.torture.gateways import Child, Gateway, NotServed, Other
from bench.torture.measure import Bench, Result, Start, measure
from bench.torture.scenes import SCENES, Scene
from mms_server.client.errors import MmsError

JOBS = 2
WAIT_S = 600.0  # for somebody to point the gateway at the line
STARTS: dict[str, Start] = {"ours": Child.ours, "plain": Child.plain}


def main() -> int:
    """Run the scenes, print and write the table. 1 if any but the plain gateway was wrong, or was not measured."""
    parser = argparse.ArgumentParser(prog="python -m bench.torture")
    parser.add_argument("--gateway", choices=("ours", "plain", "both"), default="both")
    parser.add_argument("--scene", action="append", choices=list(SCENES), help="only this one; may be repeated")
    parser.add_argument("--jobs", type=int, default=JOBS, choices=(1, 2), help="scenes at a time")
    parser.add_argument("--seconds", type=float, help="of the fault, and of the time after it, instead of the scene's")
    parser.add_argument("--out", type=Path, help="file for the table; rows of scenes that were not run stay")
    parser.add_argument("--host", help="of a gateway that is not started here")
    parser.add_argument("--port", type=int, default=102)
    parser.add_argument("--line-port", type=int, default=0, help="TCP port of the simulated line, for --host")
    parser.add_argument("--folder", type=Path, help="for the files of the site; default a temporary one")
    parser.add_argument(
        "--items", type=Path, help="where the gateway has the points, if not where torture.icd has them"
    )
    given = parser.parse_args()
    results = asyncio.run(_results(given))
    sys.stdout.write(table.text(results))
    for one in results:
        sys.stderr.write("".join(f"{one.scene} {one.gateway}: {example}\n" for example in one.examples))
    if given.out is not None:
        before = given.out.read_text(encoding="utf-8") if given.out.exists() else ""
        given.out.write_text(table.page(results, before), encoding="utf-8")
    return 1 if any(one.wrong or one.failure for one in results if one.gateway != "plain") else 0


async def _results(given: argparse.Namespace) -> list[Result]:
    scenes = [_lasting(SCENES[name], given.seconds) for name in given.scene or SCENES]
    if given.host is not None:
        return [await _other(scene, given) for scene in scenes if scene.for_gateway("other")]
    names = ("ours", "plain") if given.gateway == "both" else (given.gateway,)
    at_once = asyncio.Semaphore(given.jobs)
    rows = [(scene, name) for scene in scenes for name in names if scene.for_gateway(name)]
    return list(await asyncio.gather(*(_child(scene, name, at_once) for scene, name in rows)))


def _lasting(scene: Scene, seconds: float | None) -> Scene:
    return scene if seconds is None else replace(scene, fault_s=seconds, after_s=seconds)


async def _child(scene: Scene, name: str, at_once: asyncio.Semaphore) -> Result:
    async with at_once:
        with tempfile.TemporaryDirectory(prefix="torture-") as folder:
            result = await _measured(scene, name, STARTS[name], Path(folder), Bench())
    sys.stderr.write(f"{table.row(result)}\n")
    return result


async def _other(scene: Scene, given: argparse.Namespace) -> Result:
    with tempfile.TemporaryDirectory(prefix="torture-") as temporary:
        folder: Path = given.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        start = partial(_announced, given.host, given.port, scene)
        bench = Bench(WAIT_S, given.line_port, _items(given.items))
        return await _measured(scene, f"{given.host}:{given.port}", start, folder, bench)


async def _measured(scene: Scene, name: str, start: Start, folder: Path, bench: Bench) -> Result:
    try:
        return await measure(scene, name, start, folder, bench)
    except (NotServed, MmsError, OSError) as error:
        return Result(scene.name, scene.title, name, failure=str(error))


async def _announced(host: str, port: int, scene: Scene, folder: Path) -> Gateway:
    """Say where the line is; the gateway is somebody else's."""
    sys.stdout.write(f"scene {scene.name}: {scene.title}\nfiles {folder}\n{(folder / 'scene.json').read_text()}\n")
    sys.stdout.flush()
    return Other(host, port)


def _items(file: Path | None) -> dict[str, str]:
    if file is None:
        return {}
    rows = (line.split(maxsplit=1) for line in file.read_text(encoding="utf-8").splitlines() if line.strip())
    return {item: there.strip() for item, there in rows}


if __name__ == "__main__":
    sys.exit(main())
