"""Values that outlive the process: as Data in the journal, and back into the cache at the next start."""

from mms_server.acsi.journal import Journal, Put
from mms_server.mms.errors import DataAccessError
from mms_server.model.tree import DataModel
from mms_server.stack import ber
from mms_server.stack.errors import WireError


def keep(journal: Journal, kind: str, key: str, model: DataModel, slot: int) -> None:
    """Keep what the leaf at `slot` is worth now."""
    journal.add(Put(kind, key, model.cache.read(slot)))


def restore(model: DataModel, slot: int, octets: bytes) -> bool:
    """Give the leaf at `slot` what was kept; False, and nothing changed, if that does not fit it any more."""
    kind = model.node(slot).kind
    if kind is None:
        return False
    try:
        tag, start, end = ber.header(octets, 0, len(octets))
    except WireError:
        return False  # a store of another version, or a damaged one: the default stays
    value = kind.decode(tag, octets[start:end])
    if isinstance(value, DataAccessError):
        return False
    model.cache.commit([(slot, value)])
    return True
