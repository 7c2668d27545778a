"""Names that are too long for clients: an LD's, a data object's, and references as a whole (IEC 61850-7-2, -8-1).

    LD            64 characters, with the IED's name
    data object   12: ten, and two for its number
    reference     129 `LD/LN.DO.DA`; in edition 1 the MMS name `LN$FC$DO$DA` has at most 64

Nothing is left out for it: many clients take longer names, some cut them, and some end the association.
"""

from collections.abc import Iterator
from typing import Final

from mapping.model import AttributeType, DataObjectType, Edition, LogicalNodeType, Server

LD_LIMIT: Final = 64
DATA_OBJECT_LIMIT: Final = 12
REFERENCE_LIMIT: Final = 129
ITEM_LIMIT: Final = 64


def long_names(server: Server) -> Iterator[tuple[int, str]]:
    """The line and what is to be said of each name that is too long; one for each LD, LN and data object at most."""
    seen: set[tuple[str, int]] = set()
    longest_below: dict[int, str] = {}  # by the identity of the type, of which there are few
    for device in server.devices:
        if len(device.name) > LD_LIMIT:
            yield device.line, _said(f"the logical device `{device.name}`", len(device.name), LD_LIMIT)
        for node in device.nodes:
            for one in node.type.objects:
                if len(one.name) > DATA_OBJECT_LIMIT and (one.name, one.line) not in seen:
                    seen.add((one.name, one.line))
                    yield one.line, _said(f"the data object `{one.name}`", len(one.name), DATA_OBJECT_LIMIT)
            below = longest_below.get(id(node.type))
            if below is None:
                below = longest_below[id(node.type)] = longest(node.type)
            if server.edition is Edition.ED1:
                item = f"{node.name}$FC${below.replace('.', '$')}"
                if len(item) > ITEM_LIMIT:
                    yield node.line, _said(f"the MMS name `{item}`", len(item), ITEM_LIMIT)
            elif len(whole := f"{device.name}/{node.name}.{below}") > REFERENCE_LIMIT:
                yield node.line, _said(f"the reference `{whole}`", len(whole), REFERENCE_LIMIT)


def longest(ln_type: LogicalNodeType) -> str:
    """The longest path below an LN of that type, `DO.DA.BDA`."""
    return max((_longest(one) for one in ln_type.objects), key=len, default="")


def _longest(one: DataObjectType | AttributeType) -> str:
    below = max((_longest(member) for member in one.members), key=len, default="")
    return f"{one.name}.{below}" if below else one.name


def _said(what: str, count: int, limit: int) -> str:
    return f"{what} has {count} characters, clients expect at most {limit}"
