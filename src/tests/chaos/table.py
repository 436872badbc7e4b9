"""The table of the fault matrix, in the document that holds it."""

from __future__ import annotations

import datetime as dt
import platform
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from statistics import median

from tests.chaos.matrix import Result, Row, Seen

DOCUMENT = Path(__file__).parents[3] / "docs" / "reliability.md"
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
AREAS = {
    "source": "The source misbehaves",
    "kill": "The run is killed",
    "together": "Several runs at once",
    "store": "The store misbehaves",
    "rot": "Data rots",
    "security": "Nothing leaks, nothing gets in",
}


def write(results: Sequence[Result], seconds: float) -> None:
    """Put the table of a whole matrix into its document, between its marks."""
    text = DOCUMENT.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    table = f"{BEGIN}\n\n{_head(results, seconds)}\n{_tables(results)}\n{END}"
    DOCUMENT.write_text(f"{before}{table}{after}", encoding="utf-8")


def _head(results: Sequence[Result], seconds: float) -> str:
    rounds = sum(len(result.seen) for result in results)
    compared = sum(seen.bytes for result in results for seen in result.seen)
    today = dt.datetime.now(dt.UTC).date()
    return (
        f"Played on {today}: {len(results)} faults, {rounds} rounds, {compared:,} bytes compared, "
        f"in {seconds / 60:.0f} minutes ({platform.system()}, "
        f"Python {platform.python_version()}).\n"
    )


def _tables(results: Sequence[Result]) -> str:
    areas = {area: [each for each in results if each.row.area == area] for area in AREAS}
    return "\n".join(f"### {AREAS[area]}\n\n{_table(some)}" for area, some in areas.items() if some)


def _table(results: Sequence[Result]) -> str:
    lines = [
        "| fault | how it was made | rounds | promised | seen |",
        "|---|---|---|---|---|",
        *(_line(result) for result in results),
    ]
    return "\n".join(lines) + "\n"


def _line(result: Result) -> str:
    each = result.row
    cells = [each.fault, each.made, str(len(result.seen)), promised(each), seen(result)]
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def promised(each: Row) -> str:
    """What a row promises, its figures first."""
    figures = []
    if each.exits is not None:
        figures.append(f"exit {_exits(each.exits)}")
    if each.requests is not None:
        figures.append(f"{_span(each.requests)} requests")
    return f"{', '.join([*figures, each.promised])}"


def seen(result: Result) -> str:
    """What the rounds of a row showed."""
    if result.cannot:
        return f"cannot be made here: {result.cannot}"
    if result.problems:
        return f"**failed** in {len(result.problems)} rounds"
    rounds = result.seen
    exits = sorted({_exits(each.exits) for each in rounds})
    requests = _of([each.requests for each in rounds])
    compared = sum(each.bytes for each in rounds)
    longest = max(each.seconds for each in rounds)
    return (
        f"exit {' / '.join(exits)}; {requests} requests; {compared:,} bytes compared; "
        f"longest {longest:.1f} s{_figures(rounds)}"
    )


def _figures(rounds: Sequence[Seen]) -> str:
    """What was measured besides: the middle of all rounds, and the least and the most."""
    told = []
    for name in rounds[0].figures:
        found = [each.figures[name] for each in rounds]
        told.append(f"; {median(found):.2f} ({min(found):.2f} to {max(found):.2f}) {name}")
    return "".join(told)


def told(rounds: Sequence[Seen]) -> str:
    """What the first round that did not simply succeed told its reader."""
    return next((each.told for each in rounds if each.told), "")


def _exits(exits: Sequence[int]) -> str:
    said = []
    for status, same in groupby(exits):
        times = len(list(same))
        word = "killed" if status < 0 else str(status)
        said.append(word + {1: "", 2: " (twice)"}.get(times, f" ({times} times)"))
    return ", ".join(said) or "none"


def _of(numbers: Sequence[int]) -> str:
    return _span((min(numbers), max(numbers)))


def _span(span: int | tuple[int, int]) -> str:
    least, most = span if isinstance(span, tuple) else (span, span)
    return str(least) if least == most else f"{least} to {most}"
