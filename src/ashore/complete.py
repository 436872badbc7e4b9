"""The complete days of one source, found with as few readings as a question allows."""

import datetime as dt
from collections.abc import Collection, Iterator

from ashore.errors import Violated
from ashore.manifest import Manifest, read_manifest
from ashore.naming import Day, date_of
from ashore.store import Store


class CompleteDays:
    """Reads a manifest when it is first asked for, and never twice.

    Raises Violated where a manifest is damaged, LocationUnusable where none can be read.
    """

    def __init__(self, store: Store, source: str, only: dt.date | None, *, latest: bool) -> None:
        """Look at all days, or at that of a date, or at the latest complete one."""
        self._store = store
        self._source = source
        self._read: dict[dt.date, Manifest | None] = {}
        dates = {date for folder in store.folders("manifests/") if (date := date_of(folder))}
        self.dates = sorted(dates if only is None else dates & {only}, reverse=True)
        """Those on which some source was extracted, the latest first; not all are complete."""
        self._wanted = source if only is None else f"{source} {only}"
        if latest:
            found = self.latest()
            self.dates = [] if found is None else [found]

    def manifest(self, date: dt.date) -> Manifest | None:
        """Return the manifest of a date, or None where the day is not complete."""
        if date not in self._read:
            self._read[date] = read_manifest(self._store, Day(self._source, date))
        return self._read[date]

    def complete(self, dates: Collection[dt.date]) -> Iterator[tuple[Day, Manifest]]:
        """Yield the complete ones of some days, the earliest first."""
        for date in sorted(dates):
            manifest = self.manifest(date)
            if manifest is not None:
                yield Day(self._source, date), manifest

    def latest(self, endpoint: str | None = None) -> dt.date | None:
        """Return the latest complete day, or the latest on which an endpoint has records."""
        for date in self.dates:
            manifest = self.manifest(date)
            if manifest is not None and (endpoint is None or _records(manifest, endpoint)):
                return date
        return None

    def needed(self) -> dt.date:
        """Return the latest complete day.

        Raises:
            Violated: when there is none.
        """
        latest = self.latest()
        if latest is None:
            raise Violated(
                f"{self._store.root}: no complete day of {self._wanted} lies here, and what is not "
                "complete is no data; `ashore status` shows the days"
            )
        return latest


def _records(manifest: Manifest, endpoint: str) -> int:
    entry = manifest.ledger.get(endpoint)
    return entry.records if entry else 0
