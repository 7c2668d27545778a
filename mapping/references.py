"""References: the two ways to name one thing (IEC 61850-7-2 ObjectReference; IEC 61850-8-1 item).

ACSI   DEMOLD0/MMXU1.TotW.mag.f [MX]      array elements as HA.phsAHar(7).cVal
MMS    domain DEMOLD0, item MMXU1$MX$TotW$mag$f
"""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from mapping.model import FC

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_STEP: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\([0-9]+\))?")


@dataclass(frozen=True, slots=True)
class ObjectReference:
    """An LD, an LN and the path below it; `path` empty means the LN whole, `fc` None that the name alone decides."""

    ld: str
    ln: str
    path: tuple[str, ...] = ()
    fc: FC | None = None

    @classmethod
    def parse(cls, text: str) -> "ObjectReference":
        """The reference that `text` spells. Raises ValueError that says which part is no name."""
        plain, fc = _split_fc(text)
        ld, slash, rest = plain.partition("/")
        if not slash:
            raise ValueError(f"`{text}` has no `/` between logical device and logical node")
        ln, *path = rest.split(".")
        for name in (ld, ln):
            if not _NAME.fullmatch(name):
                raise ValueError(f"`{name}` in `{text}` is no name")
        for step in path:
            if not _STEP.fullmatch(step):
                raise ValueError(f"`{step}` in `{text}` is no name")
        return cls(ld, ln, tuple(path), fc)

    @classmethod
    def from_item(cls, domain: str, item: str) -> "ObjectReference":
        """The reference of an MMS variable. Raises ValueError for an unknown functional constraint."""
        ln, *rest = item.split("$")
        return cls(domain, ln, tuple(rest[1:]), FC(rest[0]) if rest else None)

    def item(self, fc: FC | None = None) -> str:
        """The MMS item, `LN$FC$DO$DA`; `fc` where the reference has none. Raises ValueError without any."""
        constraint = fc or self.fc
        if constraint is None:
            if self.path:
                raise ValueError(f"`{self}` names no functional constraint")
            return self.ln
        return "$".join((self.ln, constraint.value, *self.path))

    def __str__(self) -> str:
        text = f"{self.ld}/{'.'.join((self.ln, *self.path))}"
        return f"{text} [{self.fc.value}]" if self.fc else text


def _split_fc(text: str) -> tuple[str, FC | None]:
    plain, bracket, rest = text.partition("[")
    if not bracket:
        return text.strip(), None
    name = rest.strip().removesuffix("]")
    if name not in FC.__members__ or not rest.strip().endswith("]"):
        raise ValueError(f"`{name}` in `{text}` is no functional constraint")
    return plain.strip(), FC(name)


def nearest(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """Up to `count` of the `known` names that look like `name`, the nearest first."""
    by_lower = {one.lower(): one for one in known}
    return [by_lower[one] for one in difflib.get_close_matches(name.lower(), by_lower, count, 0.55)]
