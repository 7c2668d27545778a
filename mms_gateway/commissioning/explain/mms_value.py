"""MMS value of an attribute: read from the server of a running gateway, as any client would. Shell."""

from bus.endpoint import Endpoint
from bus.quality import UtcTime, describe
from mapping.plan import IedPlan
from mms_gateway.commissioning.explain.reference_lookup import Attribute
from mms_gateway.commissioning.tables import number
from mms_gateway.runtime.instance_file import Announcement
from mms_server.client.client import MmsClient
from mms_server.client.errors import MmsError
from mms_server.field.gateway_server import password_of
from mms_server.network.client_connection import connect


def served(running: Announcement, ied: IedPlan, attribute: Attribute) -> str:
    """Its value in the server's cache, with quality and time where they stand beside it; why there is none otherwise."""
    address = running.mms.get(ied.name)
    if address is None:
        return "the server listens with TLS only, where `explain` has no certificate"
    try:
        there = Endpoint.parse(address).reachable()
        client = connect(there.host, there.port, password=password_of(ied))
    except (MmsError, OSError, KeyError, ValueError) as error:
        return f"not to be had from {address}: {error}"
    try:
        return _read(client, ied, attribute)
    except MmsError as error:
        return str(error)
    finally:
        client.close()


def _read(client: MmsClient, ied: IedPlan, attribute: Attribute) -> str:
    binding = next((one for one in ied.objects if one.reference == attribute.object.reference), None)
    beside = [] if binding is None else [one for one in (binding.q, binding.t) if one not in (None, attribute.item)]
    names = [attribute.item, *(one for one in beside if one is not None)]
    return ", ".join(_told(client.read(_reference(one)), quality=one.endswith("$q")) for one in names)


def _reference(item: str) -> str:
    """`DOMAIN/LN$FC$DO$DA` as a client of ours asks for it."""
    domain, _, rest = item.partition("/")
    ln, fc, *path = rest.split("$")
    return f"{domain}/{'.'.join((ln, *path))} [{fc}]"


def _told(value: object, *, quality: bool = False) -> str:
    if isinstance(value, UtcTime):
        return value.datetime().isoformat(timespec="milliseconds")
    return describe(value) if quality and isinstance(value, int) else number(value)
