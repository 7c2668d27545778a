"""Client-written values, saved to the store as Data and restored into the cache at the next start."""

from mms_server.acsi.persistence import Persistence, Put
from mms_server.mms.data import Scalar
from mms_server.mms.errors import DataAccessError
from mms_server.model.tree import DataModel
from mms_server.stack import ber
from mms_server.stack.errors import WireError


def keep(persistence: Persistence, kind: str, key: str, model: DataModel, slot: int) -> None:
    """Store the present value of the leaf at `slot`."""
    persistence.add(Put(kind, key, model.cache.read(slot)))


def restore(model: DataModel, slot: int, octets: bytes) -> bool:
    """Give the leaf at `slot` its stored value; False, and nothing changed, if that does not fit it any more."""
    value = decoded(model, slot, octets)
    if value is None:
        return False
    model.cache.commit([(slot, value)])
    return True


def decoded(model: DataModel, slot: int, octets: bytes) -> Scalar | None:
    """The stored value of the leaf at `slot`; None if it does not fit: a store of another version, or a damaged one."""
    kind = model.node(slot).kind
    try:
        tag, start, end = ber.header(octets, 0, len(octets))
    except WireError:
        return None
    value = None if kind is None else kind.decode(tag, octets[start:end])
    return None if isinstance(value, DataAccessError) else value
