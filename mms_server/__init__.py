"""The library's face: a server made from an SCL file, and what its callbacks carry."""

from mms_server import own_packages  # first: a foreign package is to be named before it is run

own_packages.require()

from mms_server.acsi.clients import Client
from mms_server.acsi.controllable_objects import ControlAction
from mms_server.acsi.reporting.entry_buffer import BufferLimits
from mms_server.ied_server import Handle, IedServer
from mms_server.mms.add_cause import AddCause
from mms_server.mms.errors import DataAccessError
from mms_server.network.tls import TlsPort

__all__ = ["AddCause", "BufferLimits", "Client", "ControlAction", "DataAccessError", "Handle", "IedServer", "TlsPort"]
