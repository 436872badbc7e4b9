"""A calendar of days as plain data: how each stands, in weeks, in streaks, and in sizes."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import groupby

from ashore.naming import Day

_ONE_DAY = dt.timedelta(days=1)


class State(Enum):
    """How it stands with a day."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    MISSING = "missing"
    NOT_YET_DUE = "not yet due"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class DayStatus:
    """One day of one source."""

    day: Day
    state: State
    due: bool
    said: str
    """What is known of it, or why it is not complete; it may hold an API's own words."""
    objects: int = 0
    bytes: int = 0
    finished_at: str | None = None
    default: bool = True
    """Whether it counts for ``--check``: of a default source, or of one that was named."""
    accepted: tuple[str, ...] = ()
    """The expectations, ``ENDPOINT.CHECK``, that the day was completed without."""

    @property
    def wanting(self) -> bool:
        """Tell whether the day should be complete, and is not."""
        return self.default and self.due and self.state is not State.COMPLETE


@dataclass(frozen=True, slots=True)
class Week:
    """Seven days from a Monday on; None for each that the calendar does not reach."""

    monday: dt.date
    days: tuple[DayStatus | None, ...]

    @property
    def month(self) -> dt.date | None:
        """The first day of the month that begins in this week, if one does."""
        dates = [self.monday + dt.timedelta(days=number) for number in range(7)]
        return next((date for date in dates if date.day == 1), None)


@dataclass(frozen=True, slots=True)
class Streak:
    """Complete days in a row, from the first to the last."""

    days: int
    first: dt.date
    last: dt.date


@dataclass(frozen=True, slots=True)
class Summary:
    """What a calendar of one source comes to; all of it is of the days of that calendar alone."""

    source: str
    first: dt.date
    last: dt.date
    counts: Mapping[State, int]
    """How many days are in each state that there is, in the order of ``State``."""
    due: int
    complete_of_due: int
    current: Streak | None
    """The one that goes on, up to the last day that is due or later; None where it is broken."""
    longest: Streak | None
    """The longest streak, of several the latest."""
    objects: int
    bytes: int
    largest: Day | None
    """The complete day with the most bytes, of several the latest."""


def by_source(days: Iterable[DayStatus]) -> dict[str, list[DayStatus]]:
    """Return the days of each source, the earliest first; sources in the order of their first."""
    found: dict[str, list[DayStatus]] = {}
    for each in days:
        found.setdefault(each.day.source, []).append(each)
    return {source: sorted(of_it, key=_date) for source, of_it in found.items()}


def weeks(days: Sequence[DayStatus]) -> Iterator[Week]:
    """Yield the weeks that the days of one source lie in, without a gap, the earliest first."""
    if not days:
        return
    known = {each.day.date: each for each in days}
    monday = _monday(min(known))
    while monday <= max(known):
        dates = [monday + number * _ONE_DAY for number in range(7)]
        yield Week(monday, tuple(known.get(date) for date in dates))
        monday += 7 * _ONE_DAY


def in_a_row(days: Iterable[DayStatus]) -> Iterator[list[DayStatus]]:
    """Yield the days in groups: consecutive days of one source of which the same is said."""
    row: list[DayStatus] = []
    for each in days:
        if row and not _follows(row[-1], each):
            yield row
            row = []
        row.append(each)
    if row:
        yield row


def streaks(days: Iterable[DayStatus]) -> Iterator[Streak]:
    """Yield all runs of complete days of one source, the earliest first."""
    complete = sorted(each.day.date for each in days if each.state is State.COMPLETE)
    # Dates in a row all have the same distance from their place in the list.
    placed = enumerate(complete)
    for _, row in groupby(placed, key=lambda each: each[1] - each[0] * _ONE_DAY):
        dates = [date for _, date in row]
        yield Streak(len(dates), dates[0], dates[-1])


def current_streak(days: Sequence[DayStatus]) -> Streak | None:
    """Return the streak that still goes on: a day that is not due yet does not break it."""
    due = [each.day.date for each in days if each.due]
    last = list(streaks(days))[-1:]
    return next((each for each in last if not due or each.last >= max(due)), None)


def longest_streak(days: Iterable[DayStatus]) -> Streak | None:
    """Return the longest streak, of several as long the latest; None where no day is complete."""
    return max(streaks(days), key=lambda each: (each.days, each.last), default=None)


def summary(days: Sequence[DayStatus]) -> Summary:
    """Return what the days of one source come to.

    Raises:
        ValueError: when there are no days, or days of several sources.
    """
    (source,) = {each.day.source for each in days}
    states = Counter(each.state for each in days)
    due = [each for each in days if each.due]
    complete = [each for each in days if each.state is State.COMPLETE]
    largest = max(complete, key=lambda each: (each.bytes, each.day.date), default=None)
    return Summary(
        source=source,
        first=min(map(_date, days)),
        last=max(map(_date, days)),
        counts={state: count for state in State if (count := states[state])},
        due=len(due),
        complete_of_due=sum(each.state is State.COMPLETE for each in due),
        current=current_streak(days),
        longest=longest_streak(days),
        objects=sum(each.objects for each in complete),
        bytes=sum(each.bytes for each in complete),
        largest=largest.day if largest else None,
    )


def _follows(one: DayStatus, other: DayStatus) -> bool:
    same = (one.day.source, one.state, one.said) == (other.day.source, other.state, other.said)
    return same and other.day.date - one.day.date == _ONE_DAY


def _date(each: DayStatus) -> dt.date:
    return each.day.date


def _monday(date: dt.date) -> dt.date:
    return date - date.weekday() * _ONE_DAY
