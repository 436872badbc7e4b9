"""Which days are complete, which are not and why. Reads manifests, and lists no objects."""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

from ashore.calendars import DayStatus, State
from ashore.errors import Violated
from ashore.manifest import Manifest, latest_run, read_manifest
from ashore.naming import Day, date_of, source_of
from ashore.store import Store
from ashore.units import human_bytes

READERS = 16
"""How many manifests are read side by side in S3: what each waits for is the way there and back."""
DUE = dt.timedelta(hours=7)
"""A day is due six hours after its run at 01:00 UTC."""

Seen = Callable[[Day, Manifest], None]
"""Gets each manifest that was read, so that nobody reads it again: by threads, in any order."""
Item = TypeVar("Item")
Found = TypeVar("Found")


def _ignore(_day: Day, _manifest: Manifest) -> None:
    pass


def look(
    store: Store,
    default: Sequence[str],
    sources: Sequence[str],
    days: int,
    seen: Seen = _ignore,
) -> list[DayStatus]:
    """Return the calendar of some sources: of the default ones and all that landed, unless named.

    A source that is named counts for ``--check`` as the default ones do. ``seen`` gets the manifest
    of each complete day.

    Raises:
        LocationUnusable: when the location is not there.
    """
    wanted = list(dict.fromkeys(sources or default))
    stated = _Stated.of(store, every_source=not sources)
    found = sorted(stated.sources - set(wanted))
    now = dt.datetime.now(dt.UTC)
    shown = _calendar(stated, [*wanted, *found], days, now, seen)
    return [each if each.day.source in wanted else replace(each, default=False) for each in shown]


def calendar(
    store: Store, sources: Iterable[str], days: int, now: dt.datetime
) -> Iterator[DayStatus]:
    """Yield the last days of each source up to today, the earliest first.

    A source's calendar begins with the first day that anything is stated about: days before are
    not missing. Of a source that never landed, it begins with the last day that was due.

    Raises:
        LocationUnusable: when the location is not there.
    """
    yield from _calendar(_Stated.of(store, every_source=False), sources, days, now, _ignore)


def is_due(date: dt.date, now: dt.datetime) -> bool:
    """Tell whether a day should be complete by now: six hours after 01:00 UTC."""
    midnight = dt.datetime.combine(date, dt.time(), dt.UTC)
    return now >= midnight + DUE


@dataclass(frozen=True, slots=True)
class _Stated:
    """The folders of dates in a location, and of which sources they are where that was asked."""

    store: Store
    folders: Mapping[dt.date, str]
    by_date: Mapping[dt.date, frozenset[str]] | None

    @classmethod
    def of(cls, store: Store, *, every_source: bool) -> "_Stated":
        """Look what is stated; for every source, each date has to be looked at."""
        names = [*store.folders("manifests/")]
        folders = {date: name for name in names if (date := date_of(name))}
        if not every_source:
            return cls(store, folders, None)
        found = _side_by_side(store, lambda name: _sources(store, name), folders.values())
        return cls(store, folders, dict(zip(folders, found, strict=True)))

    @property
    def sources(self) -> frozenset[str]:
        """All sources that anything is stated about."""
        return frozenset().union(*(self.by_date or {}).values())

    def may_know(self, day: Day) -> bool:
        """Tell whether something may be stated about a day."""
        if self.by_date is None:
            # Nobody lands a source with another name, and in a path it could lead anywhere.
            named = source_of(f"source={day.source}") == day.source
            return named and day.date in self.folders
        return day.source in self.by_date.get(day.date, ())

    def knows(self, day: Day) -> bool:
        """Tell whether something is stated about a day."""
        if self.by_date is None:
            return day.source in _sources(self.store, self.folders[day.date])
        return day.source in self.by_date[day.date]


def _calendar(
    stated: _Stated, sources: Iterable[str], days: int, now: dt.datetime, seen: Seen
) -> Iterator[DayStatus]:
    today, due = now.astimezone(dt.UTC).date(), _last_due(now)
    days = max(days, (today - due).days + 1)
    window = [today - dt.timedelta(days=back) for back in range(days - 1, -1, -1)]
    for source in sources:
        asked = [day for date in window if stated.may_know(day := Day(source, date))]
        found = _side_by_side(stated.store, lambda day: _status(stated, day, now, seen), asked)
        known = {day.date: status for day, status in zip(asked, found, strict=True) if status}
        first = min(known, default=due)
        for date in window:
            if date >= first:
                yield known.get(date) or _nothing(Day(source, date), due=is_due(date, now))


def _last_due(now: dt.datetime) -> dt.date:
    return (now.astimezone(dt.UTC) - DUE).date()


def _side_by_side(
    store: Store, read: Callable[[Item], Found], items: Iterable[Item]
) -> Iterator[Found]:
    """Yield what is read of each item, in their order: in S3, of several of them at once.

    On a disk that is slower: what there is to wait for is over before another thread has begun.
    """
    if not store.root.startswith("s3://"):
        yield from map(read, items)
        return
    with ThreadPoolExecutor(READERS) as executor:
        # Where one fails, those that have not begun are dropped.
        yield from executor.map(read, items)


def _sources(store: Store, folder: str) -> frozenset[str]:
    return frozenset(filter(None, map(source_of, store.folders(folder))))


def _status(stated: _Stated, day: Day, now: dt.datetime, seen: Seen) -> DayStatus | None:
    """How it stands with a day; None where nothing at all is stated about it."""
    due = is_due(day.date, now)
    try:
        manifest = read_manifest(stated.store, day)
        if manifest is not None:
            seen(day, manifest)
            return _complete(day, manifest, due=due)
        return _not_complete(stated.store, day, due=due) if stated.knows(day) else None
    except Violated as violated:
        return DayStatus(day, State.DAMAGED, due, str(violated))


def _nothing(day: Day, *, due: bool) -> DayStatus:
    if due:
        return DayStatus(day, State.MISSING, due, "nothing was extracted")
    return DayStatus(day, State.NOT_YET_DUE, due, "due at 07:00 UTC")


def _complete(day: Day, manifest: Manifest, *, due: bool) -> DayStatus:
    said = f"{manifest.objects} objects, {human_bytes(manifest.bytes)}"
    if manifest.accepted:
        said += f", accepted: {', '.join(manifest.accepted)}"
    return DayStatus(
        day,
        State.COMPLETE,
        due,
        said,
        objects=manifest.objects,
        bytes=manifest.bytes,
        finished_at=manifest.finished_at,
        accepted=tuple(manifest.accepted),
    )


def _not_complete(store: Store, day: Day, *, due: bool) -> DayStatus:
    run = latest_run(store, day)
    if run is None:
        return _nothing(day, due=due)
    started, attempt = run
    if attempt is None:
        said = f"a run began {started.started_at}: it is under way, or was killed"
        return DayStatus(day, State.INCOMPLETE, due, said)
    how = "" if attempt.outcome == State.INCOMPLETE.value else f"{attempt.outcome}: "
    return DayStatus(day, State.INCOMPLETE, due, f"{how}{attempt.reason}")
