"""GetNameList: the names of domains, variables, data sets or logs, page by page (ISO 9506-2, GetNameList).

    A1 { A0 { 80 class }, A1 { 80 vmd | 81 domain | 82 association }, [82 continue after] }
      ->   A1 { A0 { 1A name ... }, 81 more follows }

Names come in the order of their octets. Every name of an LN begins with the LN's own and `$` sorts before digits and
letters, so the order is: LNs sorted, and below each the layout's sorted suffixes; nothing is built to page through. A
page starts after `continue after` whether or not that name still exists: clients resume where a deleted list was.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Final

from mms_server.mms.errors import ArgumentError, ServiceError
from mms_server.model.tree import Domain
from mms_server.services.base import Context, Service
from mms_server.stack import ber

NAMED_VARIABLE: Final = 0
NAMED_VARIABLE_LIST: Final = 2
JOURNAL: Final = 8
DOMAIN: Final = 9
LAST_CLASS: Final = 12
VMD: Final = 0x80
IN_DOMAIN: Final = 0x81
IN_ASSOCIATION: Final = 0x82
_FRAME_OCTETS: Final = 16  # headers of the list and moreFollows, at their longest
_HEADERS: Final = tuple(bytes((0x1A, size)) for size in range(0x80))


def answer(context: Context, body: bytes) -> bytes | ServiceError:
    """One page of names."""
    object_class, scope, domain_name, after = _arguments(body)
    if scope == IN_DOMAIN:
        domain = context.model.domains.get(domain_name)
        if domain is None:
            return ServiceError.ACCESS_NON_EXISTENT
        return _page(_in_domain(domain, object_class, after), context.room)
    if scope == IN_ASSOCIATION and object_class == NAMED_VARIABLE_LIST:
        return _page(_after(sorted(context.client.data_sets), after), context.room)
    if scope == VMD and object_class == DOMAIN:
        return _page(_after(sorted(context.model.domains), after), context.room)
    return _page((), context.room)


def _arguments(body: bytes) -> tuple[int, int, bytes, bytes]:
    end = len(body)
    tag, start, next_part = ber.header(body, 0, end)
    kind, first, last = ber.header(body, start, next_part)
    if tag != 0xA0 or kind != 0x80:
        raise ArgumentError("no object class")
    object_class = ber.decode_unsigned(body, first, last)
    tag, start, position = ber.header(body, next_part, end)
    scope, first, last = ber.header(body, start, position)
    if tag != 0xA1 or scope not in (VMD, IN_DOMAIN, IN_ASSOCIATION):
        raise ArgumentError("no object scope")
    if object_class > LAST_CLASS:
        raise ArgumentError(f"object class {object_class}, expected 0..{LAST_CLASS}")
    after = b""
    if position != end:
        tag, start, position = ber.header(body, position, end)
        if tag != 0x82 or position != end:
            raise ArgumentError("octets behind the scope that are no name to continue after")
        after = body[start:position]
    return object_class, scope, body[first:last], after


def _in_domain(domain: Domain, object_class: int, after: bytes) -> Iterable[bytes]:
    if object_class == NAMED_VARIABLE:
        return _variables(domain, after)
    if object_class == NAMED_VARIABLE_LIST:
        return _after(sorted(domain.data_sets), after)
    if object_class == JOURNAL:
        return _after(domain.journals, after)
    return ()


def _after(names: list[bytes], after: bytes) -> list[bytes]:
    return names[bisect_right(names, after) :] if after else names


def _variables(domain: Domain, after: bytes) -> Iterator[bytes]:
    start = max(bisect_right(domain.sorted_nodes, after) - 1, 0)  # the LN that `after` belongs to, or would
    for name in domain.sorted_nodes[start:]:
        suffixes = domain.nodes[name].layout.suffixes
        if name <= after:
            suffixes = suffixes[bisect_right(suffixes, after[len(name) :]) :] if after.startswith(name) else []
        for suffix in suffixes:
            yield name + suffix


def _page(names: Iterable[bytes], room: int) -> bytes | ServiceError:
    room -= _FRAME_OCTETS
    taken: list[bytes] = []
    more = False
    for name in names:
        encoded = _HEADERS[len(name)] + name if len(name) < 0x80 else ber.tlv(0x1A, name)
        room -= len(encoded)
        if room < 0:
            more = True
            break
        taken.append(encoded)
    if more and not taken:
        return ServiceError.RESOURCE_OTHER
    return ber.tlv(0xA1, ber.tlv(0xA0, b"".join(taken)) + (b"\x81\x01\x01" if more else b"\x81\x01\x00"))


SERVICE: Final = Service("getNameList", 0xA1, 1, answer)
