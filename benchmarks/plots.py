"""Two pictures for docs/performance.md: ratios beside their bars, and growth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

import figures
from figures import Measured, Run
from measures import Growth

_COLOURS = {"floor": "#8c8c8c", "ashore": "#0b6e99"}
_PANELS: dict[str, Callable[[Run], float]] = {
    "wall (s)": lambda run: run.wall,
    "CPU (s)": lambda run: run.cpu,
    "peak memory (MiB)": lambda run: run.peak,
}


def ratios(measured: Sequence[Measured], file: Path) -> None:
    """Draw the wall time of each case as a multiple of the floor's, beside its bar."""
    figure = Figure(figsize=(9, 1.2 + 0.42 * len(measured)), layout="constrained")
    axes: Any = figure.subplots()
    for place, each in enumerate(reversed(measured)):
        spread = each.ratio(figures.wall, "ashore", each.beside)
        axes.plot([spread.least, spread.most], [place, place], color=_COLOURS["ashore"], lw=3)
        axes.plot(spread.median, place, "o", color=_COLOURS["ashore"], ms=8)
        if each.case.bar is not None:
            axes.plot(each.case.bar, place, "|", color="#c0392b", ms=18, mew=2)
    axes.axvline(1, color=_COLOURS["floor"], lw=1)
    axes.set_yticks(range(len(measured)), [str(each.case) for each in reversed(measured)])
    axes.set_xlabel("wall ÷ floor's (paced: ÷ limit): least, median, most; red: the bar")
    axes.set_ylim(-0.6, len(measured) - 0.4)
    axes.set_xlim(left=min(0.9, axes.get_xlim()[0]))
    _save(figure, file)


def growth(grown: Sequence[Growth], file: Path) -> None:
    """Draw wall, CPU and memory against the number of answers."""
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    panels: Any = figure.subplots(1, len(_PANELS))
    for axes, (title, value) in zip(panels, _PANELS.items(), strict=True):
        for growing in grown:
            store = growing.sizes[0].case.store
            for name in ("floor", "ashore"):
                axes.plot(
                    [each.case.count for each in growing.sizes],
                    [value(each.runs[name][0]) for each in growing.sizes],
                    "o:" if store == "s3" else "o-",
                    color=_COLOURS[name],
                    label=f"{name}, {'S3' if store == 's3' else 'folder'}",
                )
        axes.set(title=title, xscale="log", xlabel="answers")
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axes.set(ylim=(0, None)) if "memory" in title else axes.set(yscale="log")
        axes.grid(visible=True, alpha=0.3)
    panels[0].legend()
    _save(figure, file)


def _save(figure: Figure, file: Path) -> None:
    # The same figures give the same file.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "ashore"}):
        figure.savefig(file, metadata={"Date": None})
    text = "\n".join(line.rstrip() for line in file.read_text(encoding="utf-8").splitlines())
    file.write_text(text + "\n", encoding="utf-8")
