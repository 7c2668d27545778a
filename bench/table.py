"""Medians with minimum and maximum, their ratios beside the targets, and plots of them."""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

TARGETS: dict[str, tuple[str, float]] = {
    "read 1, 5 clients, 1 outstanding: CPU us": ("<=", 1.0),
    "read 1, 5 clients, 5 outstanding: rate": (">=", 1.5),
    "read 1, 1 clients, 1 outstanding, 3 idle beside: rate": (">=", 100),
    "read 20 values, 5 clients: rate": (">=", 2),
    "data set of 100, 5 clients: rate": (">=", 5),
    "data set of 1000, 5 clients: rate": (">=", 30),
    "browse 10,000: s": ("<=", 0.2),
    "associations a second": (">=", 20),
    "reports, 1 clients, saturated: values/s": (">=", 5),
    "reports, 10 clients, saturated: values/s": (">=", 10),
    "start with 10,000: s": ("<=", 1.5),
    "memory after browsing 10,000: MiB": ("<=", 1.5),
    "read while 10,000 values/s: p99 ms": ("<=", 1.0),
}
"""Limits of the ratio ours / libIEC61850, by row."""
UNDISTURBED: dict[str, tuple[str, float]] = {
    "read 1, 1 clients, 1 outstanding, 3 idle beside: rate": ("read 1, 1 clients, 1 outstanding: rate", 0.9),
}
"""Least shares of another row of ours that a row has to reach."""


@dataclass(frozen=True)
class Row:
    """One number, as both servers have it."""

    name: str
    ours: list[float]
    peer: list[float]

    @property
    def ratio(self) -> float | None:
        """Ours over the peer's; None without a peer."""
        return statistics.median(self.ours) / statistics.median(self.peer) if self.peer else None

    @property
    def verdict(self) -> str:
        """The target, and whether it is met."""
        if self.name not in TARGETS or self.ratio is None:
            return ""
        sign, limit = TARGETS[self.name]
        met = self.ratio <= limit if sign == "<=" else self.ratio >= limit
        return f"{sign} {limit:g} {'met' if met else 'MISSED'}"


def rows(measured: Mapping[str, Mapping[str, list[float]]]) -> list[Row]:
    """All numbers in the order in which they were measured."""
    return [Row(name, sides.get("ours", []), sides.get("libIEC61850", [])) for name, sides in measured.items()]


def text(found: list[Row]) -> str:
    """A Markdown table."""
    lines = ["| what | ours: median (min .. max) | libIEC61850 | ours / peer | target |", "|---|---|---|---|---|"]
    for row in found:
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        verdict = f"{row.verdict}{_kept(row, found)}"
        lines.append(f"| {row.name} | {_spread(row.ours)} | {_spread(row.peer)} | {ratio} | {verdict} |")
    return "\n".join(lines) + "\n"


def _kept(row: Row, found: list[Row]) -> str:
    """Share of that other row of ours, for a row that has a limit in UNDISTURBED."""
    name, limit = UNDISTURBED.get(row.name, ("", 0.0))
    others = [one for one in found if one.name == name]
    if not others or not row.ours:
        return ""
    share = statistics.median(row.ours) / statistics.median(others[0].ours)
    return f"; {share:.2f} of ours without them, >= {limit:g} {'met' if share >= limit else 'MISSED'}"


def _spread(values: list[float]) -> str:
    if not values:
        return ""
    return f"{_number(statistics.median(values))} ({_number(min(values))} .. {_number(max(values))})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def plots(found: list[Row], folder: Path) -> None:
    """A plot of the ratios, as PNG and SVG."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    compared = [row for row in found if row.ratio is not None]
    if not compared:
        return
    figure, axes = plt.subplots(figsize=(10, 0.32 * len(compared) + 1.5))
    places = range(len(compared))
    axes.barh(places, [row.ratio or 0 for row in compared], color="#33658a")
    axes.set_xscale("log")
    axes.axvline(1.0, color="black", linewidth=1)
    axes.set_yticks(places, [row.name for row in compared], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("ours / libIEC61850, medians of one interleaved run")
    for row, place in zip(compared, places, strict=True):
        if row.name in TARGETS:
            axes.plot([TARGETS[row.name][1]] * 2, [place - 0.4, place + 0.4], color="#d1495b", linewidth=3)
    figure.tight_layout()
    for ending in ("png", "svg"):
        figure.savefig(folder / f"ratios.{ending}", dpi=120)
