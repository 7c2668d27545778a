"""The library's face: a server made from an SCL file, and what its callbacks carry."""

from mms_server.ied_server import Handle, IedServer
from mms_server.mms.errors import DataAccessError
from mms_server.services.base import Client

__all__ = ["Client", "DataAccessError", "Handle", "IedServer"]
