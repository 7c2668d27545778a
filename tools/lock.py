"""Lock files: the exact versions and hashes in requirements/ that `make` and CI install.

python -m tools.lock [--check]

pyproject.toml has the ranges, which hold for users; a lock file has one version of each for those who work on the project.
The files are layers: run <- test <- check and test <- bench; an entry stands in the first layer that needs it. `peer` and
`lock` are environments of their own. pip refuses a download that has none of the hashes. `uv` resolves for all versions of
Python from requires-python on and puts markers where they differ.

--check needs no network: what pyproject.toml asks for is locked, in its range, and each entry is asked for by pyproject.toml
or, says its `# via`, by an entry that is.
"""

import re
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT: Final = Path(__file__).parents[1]
BASES: Final = {"run": None, "test": "run", "check": "test", "bench": "test", "peer": None, "lock": None}
_APART: Final = ("peer", "lock")  # dependency groups: each has an environment of its own
_SOURCE: Final = "pyproject.toml"  # stands in a `# via` for the project itself
_PIN: Final = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>[^\s;\\]+)(?: ; (?P<marker>[^\\]+?))?(?: \\)?$")


@dataclass(frozen=True)
class Entry:
    """One locked version: as it stands in the file, and the names of the packages that asked for it."""

    name: str
    version: Version
    text: str
    via: frozenset[str]


def layers(lock: str) -> list[str]:
    """The lock files that `lock` builds upon and itself, the first one first."""
    base = BASES[lock]
    return [*(layers(base) if base else ()), lock]


def declared(project: Mapping[str, Any], lock: str) -> list[Requirement]:
    """The requirements of pyproject.toml that the layer `lock` adds; `run` has those of the editable install as well."""
    if lock == "run":
        build = [*project["build-system"]["requires"], *project["dependency-groups"]["editable"]]
        texts = [*build, *project["project"]["dependencies"]]
    elif lock in _APART:
        texts = project["dependency-groups"][lock]
    else:
        texts = project["project"]["optional-dependencies"][lock]
    return [Requirement(text) for text in texts]


def entries(text: str) -> list[Entry]:
    """The entries of a lock file. Raises ValueError for a line that is no pinned version."""
    found = []
    for block in re.split(r"\n(?=\S)", text):
        head = block.partition("\n")[0]
        if not head or head.startswith(("#", "-r ")):
            continue
        pin = _PIN.match(head)
        if pin is None:
            raise ValueError(f"`{head}` is no pinned version")
        via = re.search(r"# via (.*)$", block)
        names = via[1].split(", ") if via else ()
        found.append(Entry(canonicalize_name(pin["name"]), Version(pin["version"]), block.rstrip(), frozenset(names)))
    return found


def needed(locked: Sequence[Entry], asked: Sequence[Requirement]) -> set[str]:
    """The names of what is asked for and of all that it brings, by the `# via` of the entries."""
    names: set[str] = {canonicalize_name(one.name) for one in asked}
    before = -1
    while len(names) != before:
        before = len(names)
        names |= {entry.name for entry in locked if entry.via & names}
    return names


# ---------------------------------------------------------------------- the check


def faults(project: Mapping[str, Any], texts: Mapping[str, str]) -> Iterator[str]:
    """One line for each disagreement of pyproject.toml with the lock files, which are `texts` by name."""
    locked: dict[str, list[Entry]] = {}
    for lock in BASES:
        where = f"requirements/{lock}.txt"
        try:
            locked[lock] = entries(texts[lock])
        except KeyError:
            yield f"{where}: is missing"
        except ValueError as error:
            yield f"{where}: {error}"
        if all(name in locked for name in layers(lock)):
            yield from (f"{where}: {fault}" for fault in _layer_faults(project, locked, lock))


def _layer_faults(project: Mapping[str, Any], locked: Mapping[str, Sequence[Entry]], lock: str) -> Iterator[str]:
    every = [entry for name in layers(lock) for entry in locked[name]]
    for asked in declared(project, lock):
        versions = [entry.version for entry in every if entry.name == canonicalize_name(asked.name)]
        if not versions:
            yield f"{asked.name} is not locked, pyproject.toml asks for `{asked}`"
        for version in versions:
            if not asked.specifier.contains(version, prereleases=True):
                yield f"{asked.name} is locked at {version}, pyproject.toml asks for `{asked}`"
    names = needed(every, [asked for name in layers(lock) for asked in declared(project, name)])
    for entry in locked[lock]:
        if entry.name not in names:
            yield f"{entry.name} {entry.version} is locked, and nothing asks for it"
        if "--hash=" not in entry.text:
            yield f"{entry.name} {entry.version} has no hash"


# ---------------------------------------------------------------------- the renewal


def resolved(asked: Sequence[Requirement], python: str) -> list[Entry]:
    """The newest versions that satisfy all of `asked` on every Python from `python` on, with their hashes, from the registry."""
    uv = str(Path(sysconfig.get_path("scripts")) / "uv")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / _SOURCE.replace(".toml", ".in")
        source.write_text("".join(f"{one}\n" for one in asked), encoding="utf-8")
        command = [uv, "pip", "compile", "--quiet", "--universal", "--python-version", python, "--generate-hashes"]
        command += ["--no-header", "--annotation-style=line", source.name]
        run = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=True)
    return entries(run.stdout.replace(f"-r {source.name}", _SOURCE))


def renewed(project: Mapping[str, Any]) -> dict[str, str]:
    """The lock files by name. The layers are resolved as one, so that a version is the same in each environment."""
    python = project["project"]["requires-python"].removeprefix(">=")
    layered = [lock for lock in BASES if lock not in _APART]
    together = resolved([asked for lock in layered for asked in declared(project, lock)], python)
    texts: dict[str, str] = {}
    for lock in BASES:
        if lock in _APART:
            own = resolved(declared(project, lock), python)
        else:
            names = needed(together, [asked for name in layers(lock) for asked in declared(project, name)])
            below = {entry.name for name in layers(lock)[:-1] for entry in entries(texts[name])}
            own = [entry for entry in together if entry.name in names - below]
        base = BASES[lock]
        head = ["# Written by `make lock` from pyproject.toml; do not edit.", *([f"-r {base}.txt"] if base else [])]
        texts[lock] = "\n".join([*head, *(entry.text for entry in own)]) + "\n"
    return texts


def main(arguments: Sequence[str]) -> int:
    """Write the lock files anew, or say where they disagree with pyproject.toml; the exit code."""
    try:
        project = tomllib.loads((ROOT / _SOURCE).read_text(encoding="utf-8"))
        files = {lock: ROOT / "requirements" / f"{lock}.txt" for lock in BASES}
        if "--check" not in arguments:
            for lock, text in renewed(project).items():
                files[lock].write_text(text, encoding="utf-8")
        texts = {lock: file.read_text(encoding="utf-8") for lock, file in files.items() if file.exists()}
        found = list(faults(project, texts))
    except InvalidRequirement as error:
        found = [f"{_SOURCE}: a requirement that cannot be read: {error}"]
    for fault in found:
        sys.stderr.write(f"{fault}\n")
    if found:
        sys.stderr.write("`make lock` writes the lock files anew\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
