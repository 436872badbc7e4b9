"""Gather what a report shows of a location: the calendar, figures over time, some days in full."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ashore import __version__, status
from ashore.calendars import DayStatus, State, Summary, by_source, summary
from ashore.catalog import Catalog, Source
from ashore.daybook import Detail, read_detail
from ashore.diff import compare
from ashore.errors import Violated
from ashore.manifest import Manifest
from ashore.naming import Day
from ashore.receipts import timestamp
from ashore.store import Store

READERS = status.READERS
FULL_DAYS = 7
_ROWS, _ROWS_EARLIER = 240, 60
_EXAMPLES = 10
_COMPARED_BYTES = 2**26
"""Of all earlier days and those before them: what is read to say what changed."""


@dataclass(frozen=True, slots=True)
class Point:
    """What a complete day came to."""

    date: dt.date
    objects: int
    bytes: int
    records: Mapping[str, int]
    """By endpoint."""
    sent: int
    retried: int
    seconds: float | None
    """From the beginning of the run to its end; None where its times are no times."""

    @property
    def all_records(self) -> int:
        """The records of all endpoints."""
        return sum(self.records.values())


@dataclass(frozen=True, slots=True)
class SourceReport:
    """One source in a location."""

    name: str
    declared: Source | None
    """As today's catalog declares it; None where it does not."""
    summary: Summary
    days: tuple[DayStatus, ...]
    """The earliest first."""
    points: tuple[Point, ...]
    """The complete days, the earliest first."""
    details: tuple[Detail, ...]
    """The last days that anything is stated about, the latest first."""

    @property
    def points_by_date(self) -> Mapping[dt.date, Point]:
        """The complete days by their date."""
        return {point.date: point for point in self.points}

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The names of all endpoints of all days, those of the latest day first."""
        found = (name for point in reversed(self.points) for name in point.records)
        return tuple(dict.fromkeys(found))

    def over_time(self, figure: str) -> list[tuple[dt.date, float]]:
        """Return ``objects``, ``bytes`` or ``seconds`` of each complete day that has it."""
        found = [(point.date, getattr(point, figure)) for point in self.points]
        return [(date, value) for date, value in found if value is not None]

    def records_of(self, endpoint: str) -> list[tuple[dt.date, float]]:
        """Return the records of an endpoint on each complete day that knows it."""
        known = [point for point in self.points if endpoint in point.records]
        return [(point.date, point.records[endpoint]) for point in known]


@dataclass(frozen=True, slots=True)
class Report:
    """All that a report shows."""

    location: str
    made_at: str
    version: str
    sources: tuple[SourceReport, ...]


def gather(store: Store, catalog: Catalog, sources: Sequence[str], days: int) -> Report:
    """Read a location; nothing in it is changed.

    Raises:
        LocationUnusable: when it is not there, or cannot be read.
    """
    points: dict[Day, Point] = {}
    shown = status.look(
        store, catalog.default, sources, days, lambda day, read: points.update({day: _point(read)})
    )
    gathered = [
        _source(store, name, catalog.sources.get(name), of_it, points)
        for name, of_it in by_source(shown).items()
    ]
    made_at = timestamp(dt.datetime.now(dt.UTC))
    return Report(store.root, made_at, __version__, tuple(gathered))


def _source(
    store: Store,
    name: str,
    declared: Source | None,
    days: Sequence[DayStatus],
    known: Mapping[Day, Point],
) -> SourceReport:
    stated = [each for each in days if each.state not in {State.MISSING, State.NOT_YET_DUE}]
    latest = stated[: -FULL_DAYS - 1 : -1]
    details = [
        read_detail(store, each, declared, _ROWS_EARLIER if number else _ROWS)
        for number, each in enumerate(latest)
    ]
    points = [known[each.day] for each in days if each.state is State.COMPLETE]
    compared = tuple(_compared(store, declared, details, points))
    return SourceReport(name, declared, summary(days), tuple(days), tuple(points), compared)


def _compared(
    store: Store, declared: Source | None, details: Sequence[Detail], points: Sequence[Point]
) -> Iterator[Detail]:
    """Say of each complete day what changed since the complete one before it.

    The latest is compared whatever its size; earlier ones as long as little is read for it.
    """
    read: int | None = None
    for detail in details:
        date = detail.status.day.date
        before = [point for point in points if point.date < date]
        if detail.status.state is not State.COMPLETE or declared is None:
            yield detail
        elif not before:
            yield replace(detail, uncompared="no earlier day of this calendar is complete")
        else:
            earlier = before[-1]
            # Of the latest nothing is counted.
            read = 0 if read is None else read + detail.status.bytes + earlier.bytes
            if read > _COMPARED_BYTES:
                how = f"ashore diff {earlier.date} {date} {declared.name}"
                yield replace(detail, uncompared=f"so large a day is compared by itself: {how}")
            else:
                yield _with_change(store, declared, detail, earlier.date)


def _with_change(store: Store, source: Source, detail: Detail, earlier: dt.date) -> Detail:
    later = detail.status.day.date
    try:
        change = compare(store, source, earlier, later, examples=_EXAMPLES)
    except Violated as violated:
        return replace(detail, uncompared=str(violated))
    return replace(detail, change=change)


def _point(manifest: Manifest) -> Point:
    return Point(
        dt.date.fromisoformat(manifest.extraction_date),
        manifest.objects,
        manifest.bytes,
        {name: entry.records for name, entry in manifest.ledger.items()},
        manifest.requests.sent,
        manifest.requests.retried,
        seconds_between(manifest),
    )


def seconds_between(manifest: Manifest) -> float | None:
    """Return how long the run took that completed a day, as far as its times are times."""
    try:
        begun = dt.datetime.fromisoformat(manifest.started_at)
        ended = dt.datetime.fromisoformat(manifest.finished_at)
        return max((ended - begun).total_seconds(), 0.0)
    except (TypeError, ValueError):
        return None
