"""JSON Schema of each kind of file, for editors."""

from typing import Any, Final

from mapping.schema.fields import Strict
from mapping.schema.map import Map
from mapping.schema.profile import Profile
from mapping.schema.site import Site

FILES: Final[dict[str, type[Strict]]] = {"site": Site, "map": Map, "device": Profile}


def json_schema(kind: str) -> dict[str, Any]:
    """The JSON Schema of one kind of file: site, map or device. Raises KeyError."""
    schema = FILES[kind].model_json_schema(by_alias=True)
    point = schema["$defs"].get("Point")
    if point is not None:
        scale_from = point["properties"]["scale_from"]
        scale_from["anyOf"] = [{"type": "string"}, *scale_from["anyOf"]]
    if kind == "map":
        schema["properties"]["points"]["additionalProperties"] = {
            "anyOf": [{"type": "string"}, {"$ref": "#/$defs/Row"}]
        }
        command = schema["$defs"]["Row"]["properties"]["command"]
        command["anyOf"] = [{"type": "string"}, *command["anyOf"]]
    if kind == "site":
        files = schema["$defs"]["Ied"]["properties"]["files"]
        files["anyOf"] = [{"type": "string"}, *files["anyOf"]]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": f"mms-gateway {kind} file"} | schema
