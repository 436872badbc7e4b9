"""Which days are complete, which are not and why. Reads manifests, and lists no objects."""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from ashore.calendars import DayStatus, State
from ashore.errors import Violated
from ashore.manifest import days as stated_days
from ashore.manifest import read_attempts, read_manifest
from ashore.naming import Day, date_of
from ashore.store import Store
from ashore.units import human_bytes

DUE = dt.timedelta(hours=7)
"""A day is due six hours after its run at 01:00 UTC."""


def look(
    store: Store, default: Sequence[str], sources: Sequence[str], days: int
) -> list[DayStatus]:
    """Return the calendar of some sources: of the default ones and all that landed, unless named.

    A source that is named counts for ``--check`` as the default ones do.

    Raises:
        LocationUnusable: when the location is not there.
    """
    wanted = list(dict.fromkeys(sources or default))
    found = [] if sources else sorted({day.source for day in stated_days(store)} - set(wanted))
    shown = calendar(store, [*wanted, *found], days, dt.datetime.now(dt.UTC))
    return [replace(each, default=each.day.source in wanted) for each in shown]


def calendar(
    store: Store, sources: Iterable[str], days: int, now: dt.datetime
) -> Iterator[DayStatus]:
    """Yield the last days of each source up to today, the earliest first.

    A source's calendar begins with the first day that anything is stated about: days before are
    not missing. Of a source that never landed, it begins with the last day that was due.
    """
    today, due = now.astimezone(dt.UTC).date(), _last_due(now)
    days = max(days, (today - due).days + 1)
    names = [folder for folder in store.folders("manifests/") if date_of(folder)]
    for source in sources:
        window = [today - dt.timedelta(days=back) for back in range(days - 1, -1, -1)]
        known = _known(store, names, source, window)
        first = min(known, default=due)
        for date in window:
            if date >= first:
                yield _status(store, Day(source, date), now, known=date in known)


def is_due(date: dt.date, now: dt.datetime) -> bool:
    """Tell whether a day should be complete by now: six hours after 01:00 UTC."""
    midnight = dt.datetime.combine(date, dt.time(), dt.UTC)
    return now >= midnight + DUE


def _last_due(now: dt.datetime) -> dt.date:
    return (now.astimezone(dt.UTC) - DUE).date()


def _known(store: Store, names: list[str], source: str, window: list[dt.date]) -> set[dt.date]:
    """The days of the window that something is stated about."""
    folders = {date_of(name): name for name in names}
    return {
        date
        for date in window
        if date in folders and f"{folders[date]}source={source}/" in store.folders(folders[date])
    }


def _status(store: Store, day: Day, now: dt.datetime, *, known: bool) -> DayStatus:
    due = is_due(day.date, now)
    if known:
        try:
            return _stated(store, day, due=due)
        except Violated as violated:
            return DayStatus(day, State.DAMAGED, due, str(violated))
    return _nothing(day, due=due)


def _nothing(day: Day, *, due: bool) -> DayStatus:
    if due:
        return DayStatus(day, State.MISSING, due, "nothing was extracted")
    return DayStatus(day, State.NOT_YET_DUE, due, "due at 07:00 UTC")


def _stated(store: Store, day: Day, *, due: bool) -> DayStatus:
    manifest = read_manifest(store, day)
    if manifest is not None:
        said = f"{manifest.objects} objects, {human_bytes(manifest.bytes)}"
        if manifest.accepted:
            said += f", accepted: {', '.join(manifest.accepted)}"
        size, finished = manifest.bytes, manifest.finished_at
        return DayStatus(day, State.COMPLETE, due, said, manifest.objects, size, finished)
    runs = read_attempts(store, day)
    if not runs:
        return _nothing(day, due=due)
    started, attempt = runs[-1]
    if attempt is None:
        said = f"a run began {started.started_at}: it is under way, or was killed"
        return DayStatus(day, State.INCOMPLETE, due, said)
    how = "" if attempt.outcome == State.INCOMPLETE.value else f"{attempt.outcome}: "
    return DayStatus(day, State.INCOMPLETE, due, f"{how}{attempt.reason}")
