"""FORMAT.md: the reference of the three kinds of file, generated from schema.py; `--check` says if it is out of date."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from mapping.schema.json_schema import FILES, json_schema
from mapping.schema.register_text import KNOWN_TYPES
from tools.pages import keep

PATH: Final = Path(__file__).parents[1] / "mapping" / "FORMAT.md"
_HEAD: Final = """# The files of a site

Generated from `mapping/schema` by `python -m tools.format_doc`; do not edit. Unknown and duplicate keys are errors.
Durations are written `500ms`, `1s`, `2m`. Only `true` and `false` are booleans. A register is `TABLE ADDRESS TYPE [ORDER]`,
as `holding 100 float32 cdab`; the address is the protocol's, zero-based. The keys of a line are those of its protocol:
see `mms-gateway schema site` and the driver's `Settings`.

Types: `{types}`.

A key `NAME[1..40]` of lines, devices, points, rows or `unmapped` stands for forty, `{{n}}` within it for the number of each.
"""


def document() -> str:
    """The whole of FORMAT.md."""
    parts = [_HEAD.format(types=KNOWN_TYPES.replace(" ", "` `"))]
    for kind, model in FILES.items():
        schema = json_schema(kind)
        name = "device profile" if kind == "device" else f"{kind}.yaml"
        parts.append(f"## {name}\n\n{(model.__doc__ or '').strip()}\n")
        parts.append("\n".join(_table(schema)))
        for title, inner in schema.get("$defs", {}).items():
            if "properties" in inner and title != "Register":
                parts.append(f"\n### {title}\n\n{inner.get('description', '').strip()}\n")
                parts.append("\n".join(_table(inner)))
        parts.append("")
    return "\n".join(parts).rstrip() + "\n"


def _table(schema: dict[str, Any]) -> Iterator[str]:
    yield "| key | is | default | meaning |"
    yield "|---|---|---|---|"
    required = schema.get("required", [])
    for key, field in schema["properties"].items():
        default = "required" if key in required else _default(field)
        yield f"| `{key}` | {_type(field)} | {default} | {field.get('description', '')} |"


def _default(field: dict[str, Any]) -> str:
    value = field.get("default")
    if value is None or value in ({}, [], ""):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`" if not isinstance(value, dict) else ""


def _type(field: dict[str, Any]) -> str:
    if "$ref" in field:
        return str(field["$ref"]).rpartition("/")[2]
    if "enum" in field or "const" in field:
        return " ".join(str(one) for one in field.get("enum", [field.get("const")]))
    if "pattern" in field:
        if "ms|s|m" in field["pattern"]:
            return "duration"
        if field["pattern"].startswith("^(coil"):
            return "register"
    if "anyOf" in field:
        kinds = dict.fromkeys(_type(one) for one in field["anyOf"] if one.get("type") != "null")
        return "register" if "register" in kinds else " or ".join(kinds)
    kind = field.get("type", "any")
    if kind == "array":
        return f"list of {_type(field.get('items', {}))}"
    if kind == "object":
        inner = field.get("additionalProperties") or next(iter(field.get("patternProperties", {}).values()), None)
        return f"mapping of {_type(inner)}" if isinstance(inner, dict) else "mapping"
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


if __name__ == "__main__":
    sys.exit(keep(PATH, document(), "tools.format_doc", sys.argv[1:]))
