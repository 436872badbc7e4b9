"""Ask landed days in SQL: read what a query touches and nothing else, then answer it."""

import contextlib
import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from urllib.parse import unquote

from ashore.bodies import records_in
from ashore.catalog import Catalog, Source
from ashore.columns import KEPT
from ashore.complete import CompleteDays
from ashore.database import Database, Result, open_database
from ashore.landed import LandedObject, read_day
from ashore.loading import Place
from ashore.manifest import Manifest
from ashore.naming import Day
from ashore.read_ahead import read_ahead
from ashore.store import Store
from ashore.touched import (
    DATE,
    Node,
    Places,
    Reference,
    View,
    latest_asked,
    nodes,
    references,
    refuse_unknown,
)

_TOGETHER = 1_000


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and of which days: all complete ones, that of a date, or the latest one."""

    sql: str
    date: dt.date | None = None
    only_latest: bool = False
    memory: int = 512 * 2**20
    """Bytes that the database may use; what needs more waits in TMPDIR."""


@dataclass(slots=True)
class Reading:
    """What was read for an answer."""

    objects: int = 0
    of: int = 0
    """How many objects the days hold that had to be looked at."""
    days: set[Day] = field(default_factory=set)
    otherwise: set[Day] = field(default_factory=set)
    """Those that landed under another declaration of their source."""

    @property
    def told(self) -> dict[str, int]:
        """How much was read, for ``--json``."""
        return {"days": len(self.days), "objects": self.objects}

    @property
    def said(self) -> str:
        """What to say of days that landed under another declaration; they are read all the same."""
        many, of = len(self.otherwise), len(self.days)
        return (
            f"{many} of {of} days landed under another declaration of their source; their records "
            "are found by today's"
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query found, and what was read for it."""

    result: Result
    reading: Reading


@dataclass(frozen=True, slots=True)
class _Need:
    """What one mention of a view needs: the objects of some days that meet conditions."""

    dates: frozenset[dt.date]
    conditions: tuple[Node, ...] = ()
    only_one: bool = False
    """Whether a single record of the day is enough: nothing but the day's date is asked."""


@contextlib.contextmanager
def ask(
    store: Store, catalog: Catalog, question: Question, tell: Callable[[int, int], None]
) -> Iterator[Answer]:
    """Yield the answer to a question; it goes away at the end.

    ``tell`` hears of objects read, and of how many.

    Raises:
        Misconfigured: when the query is wrong, or does more than read.
        Violated: when there is no complete day to read, or an object does not hold up.
        LocationUnusable: when the location cannot be read, or TMPDIR has no room.
    """
    with open_database(question.memory) as database:
        asked = _Asked(store, catalog, question, database, tell)
        parts = database.parsed(question.sql)
        refuse_unknown(parts, asked.places)
        mentions: dict[View, list[Reference]] = {}
        for reference in references(parts, asked.places, database.is_steady):
            mentions.setdefault(reference.view, []).append(reference)
        for view, of_it in mentions.items():
            asked.load(view, of_it)
        yield Answer(database.answer(question.sql), asked.reading)


class _Asked:
    """One question on its way: loads the views that it mentions."""

    def __init__(
        self,
        store: Store,
        catalog: Catalog,
        question: Question,
        database: Database,
        tell: Callable[[int, int], None],
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._question = question
        self._database = database
        self._tell = tell
        self._days: dict[str, CompleteDays] = {}
        self._seen: set[View] = set()
        """The views of which any record was read."""
        self.reading = Reading()
        self.places: Places = {
            (source.name, endpoint.name): (DATE, *source.lineage(endpoint))
            for source in catalog.sources.values()
            for endpoint in source.endpoints
        }

    def load(self, view: View, mentions: Sequence[Reference]) -> None:
        """Load what the mentions of a view need."""
        source = self._catalog.sources[view[0]]
        days = self._days_of(view[0])
        latest = days.needed()
        needs = [self._need(reference) for reference in mentions]
        dates = frozenset[dt.date]().union(*(need.dates for need in needs))
        chosen = [*days.complete(dates)]
        names = self.places[view]
        records = self._records(self._objects(source, view, chosen, needs), source, view)
        self._database.load(view, names, chain(records, self._sample(source, view, latest)))

    def _sample(
        self, source: Source, view: View, latest: dt.date
    ) -> Iterator[tuple[Place, object]]:
        """The records of the latest day, to tell what columns there are, where none was needed."""
        if view not in self._seen:
            days = [*self._days_of(view[0]).complete({latest})]
            objects = self._objects(source, view, days, [_Need(frozenset({latest}))])
            yield from (((), record) for _, record in self._records(objects, source, view))

    def _days_of(self, source: str) -> CompleteDays:
        if source not in self._days:
            date, latest = self._question.date, self._question.only_latest
            self._days[source] = CompleteDays(self._store, source, date, latest=latest)
        return self._days[source]

    def _need(self, reference: Reference) -> _Need:
        days, own = self._days_of(reference.view[0]), self.places[reference.view]
        if reference.only_latest:
            latest = days.latest(reference.view[1])
            return _Need(frozenset() if latest is None else frozenset({latest}), only_one=True)
        conditions = [each for each in reference.conditions if self._settle(each)]
        of_dates = [each for each in conditions if _columns(each) == {DATE}]
        kept = set(range(len(days.dates)))
        if of_dates and days.dates:
            dates = [(date.isoformat(),) for date in days.dates]
            kept = self._database.admitted(own[:1], dates, of_dates)
        others = conditions if len(of_dates) < len(conditions) else ()
        return _Need(frozenset(days.dates[position] for position in kept), tuple(others))

    def _settle(self, condition: Node) -> bool:
        """Put dates in place of the queries for the latest date; False if others are left."""
        for node in nodes(condition):
            if node.get("class") != "SUBQUERY":
                continue
            inner = (node.get("subquery") or {}).get("node") or {}
            view = latest_asked(inner, self.places)
            latest = view and self._days_of(view[0]).latest(view[1])
            if node.get("subquery_type") != "SCALAR" or not latest:
                return False
            node.clear()
            node.update(self._database.literal(latest.isoformat()))
        return True

    def _objects(
        self,
        source: Source,
        view: View,
        days: Sequence[tuple[Day, Manifest]],
        needs: Sequence[_Need],
    ) -> Iterator[LandedObject]:
        """The objects that any of the mentions needs, day by day."""
        for day, manifest in days:
            self._note(source, view[1], day, manifest)
            with contextlib.closing(read_day(self._store, day)) as landed:
                for chunk in _chunks(landed.receipts(view[1])):
                    yield from self._wanted(chunk, day.date, self.places[view], needs)

    def _note(self, source: Source, endpoint: str, day: Day, manifest: Manifest) -> None:
        entry = manifest.ledger.get(endpoint)
        self.reading.of += entry.objects if entry else 0
        self.reading.days.add(day)
        if manifest.source_sha256 != source.sha256:
            self.reading.otherwise.add(day)

    def _wanted(
        self,
        chunk: Sequence[LandedObject],
        date: dt.date,
        names: Sequence[str],
        needs: Sequence[_Need],
    ) -> Iterator[LandedObject]:
        own = [need for need in needs if date in need.dates]
        if any(not need.conditions and not need.only_one for need in own):
            yield from chunk
            return
        places = [_place(landed, date, names) for landed in chunk]
        wanted = set(_enough(chunk)) if any(need.only_one for need in own) else set()
        for need in own:
            if need.conditions:
                wanted |= self._database.admitted(names, places, need.conditions)
        yield from (landed for position, landed in enumerate(chunk) if position in wanted)

    def _records(
        self, objects: Iterator[LandedObject], source: Source, view: View
    ) -> Iterator[tuple[Place, object]]:
        """Each record with the place of its object."""
        found, names = source.endpoint(view[1]).records, self.places[view]
        for landed, body in read_ahead(self._store, objects):
            self.reading.objects += 1
            self._tell(self.reading.objects, self.reading.of)
            place = _place(landed, _date(landed), names)
            for record in records_in(body, landed.where(found)):
                self._seen.add(view)
                yield place, record


def _columns(condition: Node) -> set[str]:
    """The names of the columns in a condition, as ``touched`` has left it."""
    names = (node.get("column_names") for node in nodes(condition))
    return {str(each[0]).lower() for each in names if each} - {*KEPT}


def _chunks(objects: Iterator[LandedObject]) -> Iterator[Sequence[LandedObject]]:
    while chunk := [*islice(objects, _TOGETHER)]:
        yield chunk


def _enough(chunk: Sequence[LandedObject]) -> Iterator[int]:
    """The objects up to the first that surely has a record."""
    for position, landed in enumerate(chunk):
        if landed.records != 0:
            yield position
        if landed.records:
            return


def _date(landed: LandedObject) -> dt.date:
    return dt.date.fromisoformat(landed.path.split("/", 2)[1].partition("=")[2])


def _place(landed: LandedObject, date: dt.date, names: Sequence[str]) -> Place:
    """The date of an object and its values of ``for_each``, as its name has them.

    A value that is too long for a name stands there cut, followed by ``~`` and a hash.
    """
    parts = landed.name.removesuffix(".json").split("/")[1:]
    values: Mapping[str, str] = {n: v for n, _, v in (part.partition("=") for part in parts)}
    found = (values.get(name) for name in names[1:])
    return (date.isoformat(), *(None if value is None else unquote(value) for value in found))
