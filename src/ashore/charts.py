"""Where the shapes of a report lie: the calendar's marks, lines over time, bars. Pure geometry."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from ashore.calendars import DayStatus, State
from ashore.timeline import Axis, Column
from ashore.units import Rate
from ashore.waterfall import Asked

CELL, STEP = 11, 14
WIDTH = 1000
"""Of every chart but the calendar, in units of its own: it is stretched to the page."""
_HEIGHT = 100
_MOST_POINTS = 370
_LEAST_BAR = 3.0
MARKS = {
    State.COMPLETE: "h11v11h-11z",
    State.INCOMPLETE: "m0 11h11l-5.5-10z",
    State.MISSING: "m1.5 1.5h8v8h-8z",
    State.DAMAGED: "m1 1l9 9m0-9l-9 9",
    State.NOT_YET_DUE: "m4 4h3v3h-3z",
}
"""A shape for each state, so that colour is never all that tells."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One day in a calendar."""

    day: DayStatus
    x: int
    y: int

    @property
    def path(self) -> str:
        """The shape, as SVG writes it."""
        return f"M{self.x} {self.y}{MARKS[self.day.state]}"


@dataclass(frozen=True, slots=True)
class Month:
    """A month of a calendar: a column for each week, a row for each day of it."""

    first: dt.date
    width: int
    marks: tuple[Mark, ...]

    @property
    def said(self) -> str:
        """The month in words."""
        return f"{self.first:%B %Y}: {_counted(self.marks)}"


@dataclass(frozen=True, slots=True)
class Year:
    """A year of a calendar."""

    year: int
    months: tuple[Month, ...]

    @property
    def said(self) -> str:
        """How many days are in each state, in words."""
        return _counted(mark for month in self.months for mark in month.marks)


def months(days: Iterable[DayStatus]) -> list[Month]:
    """Return the months that days of one source, the earliest first, lie in."""
    grouped = groupby(days, key=lambda each: each.day.date.replace(day=1))
    return [_month(first, tuple(of_it)) for first, of_it in grouped]


def years(shown: Sequence[Month]) -> list[Year]:
    """Return months by their year, the latest year first."""
    grouped = groupby(shown, key=lambda month: month.first.year)
    return [Year(year, tuple(of_it)) for year, of_it in grouped][::-1]


def _counted(marks: Iterable[Mark]) -> str:
    counts = Counter(mark.day.state for mark in marks)
    return ", ".join(f"{counts[state]} {state.value}" for state in State if counts[state])


def _month(first: dt.date, days: tuple[DayStatus, ...]) -> Month:
    offset = first.weekday()
    places = [divmod(each.day.date.day - 1 + offset, 7) for each in days]
    marks = [
        Mark(each, column * STEP, row * STEP)
        for each, (column, row) in zip(days, places, strict=True)
    ]
    return Month(first, max(mark.x for mark in marks) + CELL, tuple(marks))


@dataclass(frozen=True, slots=True)
class Line:
    """A figure over time; between days that are not next to each other the line is broken."""

    path: str
    area: str
    dots: str
    """Days alone, which no line goes through."""
    values: tuple[tuple[dt.date, float], ...]
    """Those that are drawn: of every ``step`` days the last complete one."""
    step: int
    least: float
    most: float


def line(values: Sequence[tuple[dt.date, float]], first: dt.date, last: dt.date) -> Line:
    """Return a line through values, the earliest first; the axis begins with zero."""
    step = -(-((last - first).days + 1) // _MOST_POINTS)
    thin = {(date - first).days // step: (date, value) for date, value in values}
    shown = tuple(thin.values())
    figures = [value for _, value in shown]
    most, days = max(figures, default=0.0), max((last - first).days, 1)
    places = [
        ((date - first).days * WIDTH / days, _HEIGHT - _share(value, most) * (_HEIGHT - 4))
        for date, value in shown
    ]
    joined = [False, *(later - earlier == 1 for earlier, later in pairwise(thin))]
    runs: list[list[tuple[float, float]]] = []
    for place, goes_on in zip(places, joined, strict=False):
        if goes_on:
            runs[-1].append(place)
        else:
            runs.append([place])
    lines = [run for run in runs if len(run) > 1]
    path = "".join(map(_through, lines))
    area = "".join(f"{_through(run)}V{_HEIGHT}H{run[0][0]:.1f}z" for run in lines)
    dots = "".join(f"{_through(run)}h0" for run in runs if len(run) == 1)
    return Line(path, area, dots, shown, step, min(figures, default=0.0), most)


def _through(run: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in run)


def _share(value: float, most: float) -> float:
    return value / most if most else 0.0


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle, from the upper left."""

    x: float
    width: float
    y: float = 0.0
    height: float = float(_HEIGHT)


def bar(axis: Axis, asked: Asked) -> Bar:
    """Return when a request was under way, on its day's axis; never too thin to be seen."""
    left = axis.place(asked.sent) * WIDTH
    width = max(axis.place(asked.sent + asked.seconds) * WIDTH - left, _LEAST_BAR)
    return Bar(round(min(left, WIDTH - _LEAST_BAR), 1), round(width, 1))


@dataclass(frozen=True, slots=True)
class Paces:
    """Requests a second over a day, beside what is declared."""

    bars: tuple[Bar, ...]
    most: float
    declared: float | None
    line: float | None
    """How high the declared rate is drawn; None where there is none."""


def paces(axis: Axis, columns: Sequence[Column], rate: Rate | None) -> Paces:
    """Return the pace of a day's requests as bars."""
    declared = rate.requests / rate.seconds if rate else None
    most = max((column.pace for column in columns), default=0.0)
    top = max(most, declared or 0.0) * 1.05
    bars = []
    for column in columns:
        left = axis.place(column.begin) * WIDTH
        width = max(axis.place(column.begin + column.seconds) * WIDTH - left, _LEAST_BAR)
        height = _share(column.pace, top) * _HEIGHT
        bars.append(Bar(round(left, 1), round(width, 1), round(_HEIGHT - height, 1), height))
    at = None if declared is None else _HEIGHT - _share(declared, top) * _HEIGHT
    return Paces(tuple(bars), most, declared, at)


def gaps(axis: Axis) -> list[tuple[float, float, float]]:
    """Return where nothing was asked for long: place of the cut, when it began and ended."""
    return [
        ((earlier.right + later.left) / 2 * WIDTH, earlier.end, later.begin)
        for earlier, later in pairwise(axis.stretches)
    ]
