"""An import contract of import-linter: only the modules listed as shells import sockets, clocks, ports, tasks or logs.

    [[tool.importlinter.contracts]]
    type = "shells"
    shells = ["acquisition.line", ...]             a module is named whole; its package is not meant
    forbidden_modules = ["asyncio", ...]
    allowed_imports = ["acquisition.drivers.* -> pymodbus"]

A shell that needs none of them any more is a finding as well: the list only gets shorter (D104).
"""

from fnmatch import fnmatchcase
from typing import Any, ClassVar

from importlinter import Contract, ContractCheck, fields, output


class ShellsContract(Contract):
    """The pure modules are all that are not shells."""

    type_name: ClassVar[str] = "shells"

    shells: Any = fields.ListField(subfield=fields.StringField())
    forbidden_modules: Any = fields.ListField(subfield=fields.StringField())
    allowed_imports: Any = fields.ListField(subfield=fields.StringField(), required=False, default=[])

    def check(self, graph: Any, verbose: bool) -> ContractCheck:
        """Find each import of a forbidden module outside of the shells, and each shell without one."""
        del verbose
        roots = tuple(self.session_options["root_packages"])
        ours = {name for name in graph.modules if name.split(".")[0] in roots}
        impure = {name: found for name in ours if (found := self._forbidden(graph, name))}
        shells = set(self.shells)
        broken = [
            f"{name} imports {one} (l. {', '.join(map(str, lines))})"
            for name in sorted(impure.keys() - shells)
            for one, lines in sorted(impure[name].items())
        ]
        idle = [
            f"{name} is listed as a shell and imports none of them" for name in sorted(shells & ours - impure.keys())
        ]
        missing = [f"{name} is listed as a shell and is no module" for name in sorted(shells - ours)]
        findings = [*broken, *idle, *missing]
        return ContractCheck(kept=not findings, metadata={"findings": findings})

    def _forbidden(self, graph: Any, name: str) -> dict[str, list[int]]:
        """The forbidden modules that `name` imports itself, each with its lines."""
        found: dict[str, list[int]] = {}
        for imported in graph.find_modules_directly_imported_by(name):
            root = imported.split(".")[0]
            allowed = any(fnmatchcase(f"{name} -> {root}", pattern) for pattern in self.allowed_imports)
            if root in self.forbidden_modules and not allowed:
                details = graph.get_import_details(importer=name, imported=imported)
                found.setdefault(root, []).extend(one["line_number"] for one in details)
        return found

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print one line for each finding."""
        for finding in check.metadata["findings"]:
            output.print_error(finding)
