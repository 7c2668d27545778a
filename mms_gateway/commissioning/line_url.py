"""A line as one word, for a bench without a site: `modbus-tcp://HOST:PORT`, `modbus-rtu:/dev/ttyUSB0?baudrate=19200` (pure)."""

from typing import Final
from urllib.parse import parse_qsl, urlsplit

from pydantic import ValidationError

from acquisition.drivers.registry import by_protocol
from mapping.located_yaml.validation_text import reason
from mapping.plan import LinePlan

NAME: Final = "line"
EXAMPLES: Final = "`modbus-tcp://192.168.1.20:502` or `modbus-rtu:/dev/ttyUSB0?baudrate=9600&parity=even`"


def parse_line(text: str) -> LinePlan:
    """The line, without devices, that `text` describes. Raises ValueError that says what does not fit."""
    parts = urlsplit(text)
    spec = by_protocol().get(parts.scheme)
    if spec is None:
        known = ", ".join(sorted(by_protocol()))
        raise ValueError(f"`{text}` names no protocol, expected one of {known}, as in {EXAMPLES}")
    given: dict[str, str | int | bool] = {
        key: _plain(value) for key, value in parse_qsl(parts.query, keep_blank_values=True)
    }
    if parts.netloc:
        try:
            given |= {"host": parts.hostname or ""} | ({} if parts.port is None else {"port": parts.port})
        except ValueError as error:
            raise ValueError(f"`{text}`: {str(error).lower()}") from None
    elif parts.path:
        given["port"] = parts.path
    try:
        settings = spec.protocol.settings.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        raise ValueError(f"`{text}`: {where}: {reason(first)}, as in {EXAMPLES}") from None
    return LinePlan(NAME, parts.scheme, settings.model_dump(exclude_none=True), ())


def _plain(text: str) -> str | int | bool:
    if text in ("true", "false"):
        return text == "true"
    return int(text) if text.isdecimal() else text
