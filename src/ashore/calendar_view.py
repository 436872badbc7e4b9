"""The calendar of days on a terminal: weeks as columns, told by shape as well as by colour."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from ashore.calendars import (
    DayStatus,
    State,
    Streak,
    Summary,
    Week,
    by_source,
    in_a_row,
    summary,
    weeks,
)
from ashore.redaction import on_one_line
from ashore.units import human_bytes

COLOURS: Mapping[State, str] = {
    State.COMPLETE: "green",
    State.INCOMPLETE: "yellow",
    State.MISSING: "red",
    State.NOT_YET_DUE: "dim",
    State.DAMAGED: "bold red",
}
_STATES = tuple(COLOURS)
SHAPES = dict(zip(_STATES, "■◧□·!", strict=True))
PLAIN_SHAPES = dict(zip(_STATES, "#+o.!", strict=True))
"""Where only ASCII can be shown."""
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MARGIN = 5
_NAMED = 4
"""The columns that the name of a month takes, with the blank after it."""
_NARROW = 60
_LINES = 60
_LONGEST = 2_000
"""What is said of a day is told up to so many characters: an API may have written it."""


@dataclass(frozen=True, slots=True)
class Calendars:
    """The calendars of some sources, each drawn as wide as the terminal lets it be."""

    days: Sequence[DayStatus]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw each source's calendar, what it comes to, and what the shapes mean."""
        shapes = PLAIN_SHAPES if options.ascii_only else SHAPES
        for days in by_source(self.days).values():
            yield from _drawn(days, options.max_width, shapes)
            yield Text()
        if not self.days:
            yield Text("nothing has landed here, and no source is due")


@dataclass(frozen=True, slots=True)
class Remarks:
    """What there is to say of days that are not plainly complete.

    Days in a row of which the same is said share a line; of many lines, the last ones are told.
    """

    days: Sequence[DayStatus]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Tell it in a table, or where that would be too narrow to be read, below each other."""
        told = [each for each in self.days if each.state is not State.COMPLETE or each.accepted]
        rows = [*in_a_row(told)]
        if len(rows) > _LINES:
            yield Text(f"the last {_LINES} of {len(rows)} remarks; --json has all of them")
        if rows and options.max_width >= _NARROW:
            yield _table(rows[-_LINES:])
        elif rows:
            yield from _list(rows[-_LINES:])


def blocks(days: Sequence[DayStatus], width: int) -> Iterator[list[Week]]:
    """Yield the weeks of one source in groups that fit side by side, a column for each week.

    All of them together if they fit; else those of each year, which is the year of its Thursday.
    """
    found = list(weeks(days))
    fit = max(1, width - _MARGIN)
    if len(found) <= fit:
        yield found
        return
    for _, year in groupby(found, key=lambda week: week.monday.isocalendar().year):
        of_it = list(year)
        for start in range(0, len(of_it), fit):
            yield of_it[start : start + fit]


def months(group: Sequence[Week], cell: int) -> str:
    """Return the line above the weeks: the year, and each month where its first day is.

    The year is that of the first month that is named.
    """
    begun = {column: week.month for column, week in enumerate(group) if week.month}
    # The month that goes on in the first week is named if the next one leaves room for it.
    if all(column * cell >= _NAMED for column in begun):
        begun[0] = next(each.day.date for each in group[0].days if each)
    named = sorted(begun.items())
    line = str(named[0][1].year) if named else ""
    for column, date in named:
        line = f"{line.ljust(_MARGIN + column * cell)}{_MONTHS[date.month - 1]}"
    return line


def _drawn(days: Sequence[DayStatus], width: int, shapes: Mapping[State, str]) -> Iterator[Text]:
    found = summary(days)
    # Of a source that is only named, the name can be anything.
    name = on_one_line(found.source)
    yield Text(f"{name}  {found.first} to {found.last}", style="bold")
    groups = [*blocks(days, width)]
    cell = 2 if _MARGIN + 2 * max(map(len, groups)) <= width else 1
    for group in groups:
        yield from _grid(group, cell, shapes)
    yield from _side_by_side(_legend(found, shapes), width)
    yield from _side_by_side((Text(text) for text in told(found)), width)


def _grid(group: Sequence[Week], cell: int, shapes: Mapping[State, str]) -> Iterator[Text]:
    yield Text(months(group, cell), style="dim")
    for number, name in enumerate(_WEEKDAYS):
        line = Text(name.ljust(_MARGIN))
        for week in group:
            day = week.days[number]
            shape, colour = (shapes[day.state], COLOURS[day.state]) if day else ("", "")
            line.append(shape.ljust(cell), style=colour)
        line.rstrip()
        yield line


def _legend(found: Summary, shapes: Mapping[State, str]) -> Iterator[Text]:
    for state in State:
        count = found.counts.get(state, 0)
        # What is rare is explained where it occurs.
        if count or state is not State.DAMAGED:
            yield Text.assemble((shapes[state], COLOURS[state]), f" {state.value} {count}")


def told(found: Summary) -> Iterator[str]:
    """Yield what a calendar comes to, in a few words each: its streaks, what is due, its sizes."""
    current = f"{_days(found.current)} since {found.current.first}" if found.current else "none"
    yield f"streak: {current}"
    if found.longest:
        yield f"longest: {_days(found.longest)}, {found.longest.first} to {found.longest.last}"
    yield f"due and complete: {found.complete_of_due} of {found.due}"
    yield f"landed: {found.objects} objects, {human_bytes(found.bytes)}"
    if complete := found.counts.get(State.COMPLETE):
        yield f"a day: {human_bytes(found.bytes // complete)}"


def _days(streak: Streak) -> str:
    return f"{streak.days} day{'' if streak.days == 1 else 's'}"


def _table(rows: Iterable[Sequence[DayStatus]]) -> Table:
    table = Table()
    for heading, least in (("day", 10), ("source", 8), ("state", 10), ("", 10)):
        # Folded, not cut: in a long path the end is what tells.
        table.add_column(heading, overflow="fold", min_width=least)
    for row in rows:
        table.add_row(*_cells(row))
    return table


def _list(rows: Iterable[Sequence[DayStatus]]) -> Iterator[Text]:
    for row in rows:
        *head, said = _cells(row)
        yield Text(" ").join(head)
        yield Text("  ").append_text(said)


def _cells(row: Sequence[DayStatus]) -> Iterator[Text]:
    first, last = row[0], row[-1]
    yield Text(f"{first.day.date}" + ("" if first is last else f" to {last.day.date}"))
    yield Text(on_one_line(first.day.source))
    yield Text(first.state.value, style=COLOURS[first.state])
    # As text, not as markup, and without control characters: an API may have written it.
    yield Text(on_one_line(first.said[:_LONGEST]))


def _side_by_side(parts: Iterable[Text], width: int) -> Iterator[Text]:
    """Put texts beside each other, as many in a line as fit, and never break one."""
    line = Text()
    for part in parts:
        if line and line.cell_len + 3 + part.cell_len > width:
            yield line
            line = Text()
        line = Text("   ").join([line, part]) if line else part
    yield line
