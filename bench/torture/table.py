"""The table of the bench, as Markdown."""

from collections.abc import Sequence
from typing import Final

from bench.torture.measure import Result

_HEAD: Final = (
    "| scene | channel | gateway | good | wrong | of them too old | available | all good after | condition |\n"
    "|---|---|---|---|---|---|---|---|---|\n"
)


def text(results: Sequence[Result]) -> str:
    """A row for each result."""
    return _HEAD + "".join(f"{row(one)}\n" for one in results)


def row(result: Result) -> str:
    """One row."""
    head = f"| {result.scene} | {result.title} | {result.gateway} |"
    if result.failure:
        return f"{head} {result.failure.strip().splitlines()[-1].replace('|', '/')} | | | | | |"
    after = "never" if result.recovered_s is None else f"{result.recovered_s:.1f} s"
    after = "-" if result.commands else after
    counts = f"{result.good} | {result.wrong} | {result.old} | {result.availability:.0%}"
    return f"{head} {counts} | {after} | {', '.join(result.conditions) or '-'} |"
