"""`mms-gateway schema site|map|device`: JSON Schemas for editors."""

import json
import sys
from typing import Final, Literal

from mapping.schema.json_schema import json_schema
from mms_gateway.command import OK, Command


def schema(kind: Literal["site", "map", "device"], /) -> int:
    """Print the JSON Schema of one kind of file.

    Parameters
    ----------
    kind
        site for site.yaml, map for map.yaml, device for a device profile.
    """
    sys.stdout.write(json.dumps(json_schema(kind), indent=2) + "\n")
    return OK


COMMAND: Final = Command("schema", schema)
