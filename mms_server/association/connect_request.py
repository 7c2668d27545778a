"""Association request: decodes CONNECT, the CP in it, the AARQ in that and its Initiate. Results are cached by octets.

A client begins each association with the same octets, and pyasn1 takes most of a millisecond to decode them: the last
results are kept. Requests with a password are not: a password stays in memory no longer than it must.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from mms_server.mms import initiate
from mms_server.mms.initiate import Proposal
from mms_server.stack import acse, presentation, session
from mms_server.stack.acse import AssociateRequest
from mms_server.stack.errors import WireError
from mms_server.stack.presentation import ConnectPresentation
from mms_server.stack.session import Spdu

REMEMBERED: Final = 64
LONGEST: Final = 2_048  # octets of a request that is kept


@dataclass(frozen=True, slots=True)
class AssociationRequest:
    """One association request, layer by layer, with the presentation contexts that it proposes."""

    spdu: Spdu
    connect: ConnectPresentation
    acse: AssociateRequest
    proposal: Proposal
    acse_context: int
    mms_context: int


_known: OrderedDict[bytes, AssociationRequest] = OrderedDict()


def decode(tsdu: bytes) -> AssociationRequest:
    """The association request in `tsdu`. Raises WireError for anything else."""
    known = _known.get(tsdu)
    if known is not None:
        return known
    request = _decoded(tsdu)
    if request.acse.authentication is None and len(tsdu) <= LONGEST:
        _known[tsdu] = request
        if len(_known) > REMEMBERED:
            _known.popitem(last=False)
    return request


def _decoded(tsdu: bytes) -> AssociationRequest:
    spdu = session.decode(tsdu)
    if spdu.identifier != session.CONNECT:
        raise WireError("session", 0, f"SPDU {spdu.identifier:02x}, expected CONNECT")
    connect = presentation.decode_connect(spdu.user_data)
    asked = acse.decode_associate(connect.user_data)
    return AssociationRequest(
        spdu,
        connect,
        asked,
        initiate.decode_request(asked.mms),
        connect.context(presentation.ACSE_SYNTAX),
        connect.context(presentation.MMS_SYNTAX),
    )
