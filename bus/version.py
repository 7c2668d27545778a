"""The version of the installed distribution; its one literal stands in pyproject.toml."""

from functools import cache

DISTRIBUTION = "mms-gateway"


@cache
def version() -> str:
    """The version as MAJOR.MINOR.PATCH. Raises PackageNotFoundError in a checkout that was never installed."""
    from importlib import metadata  # costs 30 ms: only those pay that ask

    return metadata.version(DISTRIBUTION)
