"""What changed between two landed days of a source: records, fields, shape, bytes."""

import contextlib
import datetime as dt
import hashlib
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import chain
from json.encoder import encode_basestring
from typing import Any

from ashore.bodies import finder, records_in, written_in
from ashore.catalog import Endpoint, Source
from ashore.comparison import Comparison, EndpointComparison, Objects
from ashore.drift import MOST_FIELDS, Shape, drift
from ashore.errors import Misconfigured, Violated, nearest
from ashore.exact import text_of
from ashore.findings import Findings
from ashore.landed import READERS, LandedDay, LandedObject, read_bodies, read_day
from ashore.naming import Day
from ashore.pairing import EARLIER, LATER, Pile, Row
from ashore.store import Store

_DIGEST_BYTES = 16
_SMALL = 2**21
"""Bytes up to which the records of an object are held to be looked for on the other day."""
__all__ = ["READERS", "compare"]
Tell = Callable[[int, int], None]


def compare(  # noqa: PLR0913 - each is said on the command line
    store: Store,
    source: Source,
    earlier: dt.date,
    later: dt.date,
    endpoints: Sequence[str] = (),
    examples: int | None = 20,
    tell: Tell = lambda _done, _of: None,
) -> Comparison:
    """Compare two complete days: of all endpoints, unless some are named.

    ``examples`` is how many records of each kind are shown, all where it is None; ``tell`` hears
    objects read, and of how many.

    Raises:
        Misconfigured: when the catalog has no endpoint of a name.
        Violated: when a day is not complete, or what it holds is not what landed.
        LocationUnusable: when the location cannot be read, or TMPDIR has no room.
    """
    known = {endpoint.name for endpoint in source.endpoints}
    for name in endpoints:
        if name not in known:
            problem = nearest(name, known)
            raise Misconfigured(f'{source.name} has no endpoint "{name}"; {problem}')
    with contextlib.ExitStack() as opened:
        days = [read_day(store, Day(source.name, date)) for date in (earlier, later)]
        for day in days:
            opened.callback(day.close)
        landed = {name for day in days for name in day.endpoints}
        chosen = [e for e in source.endpoints if e.name in (endpoints or landed)]
        progress = _Progress(tell, sum(day.count(each.name) for day in days for each in chosen))
        compared = tuple(
            _Endpoint(store, endpoint, days[0], days[1], examples, progress).compare()
            for endpoint in chosen
        )
    strangers = sorted(landed - known)
    return Comparison(source.name, earlier, later, compared, tuple(_notes(source, days, strangers)))


def _notes(source: Source, days: list[LandedDay], strangers: list[str]) -> Iterator[str]:
    others = [str(d.day.date) for d in days if d.manifest.source_sha256 != source.sha256]
    if others:
        yield (
            f"{' and '.join(dict.fromkeys(others))} landed under another declaration of "
            f"{source.name} than the catalog's, by which the records are read here"
        )
    if strangers:
        yield f"not in the catalog, and not compared: {', '.join(strangers)}"


@dataclass(slots=True)
class _Progress:
    """Objects read, and of how many: those of both days count."""

    tell: Tell
    of: int
    done: int = 0

    def add(self, objects: int) -> None:
        self.done += objects
        self.tell(self.done, self.of)


class _Role(Enum):
    """What an object that is read stands for."""

    SAME = "the same bytes on both days"
    EARLIER_ALONE = "of the earlier day only"
    LATER_ALONE = "of the later day only"
    EARLIER_OF_SMALL = "small enough to wait for the later one"
    LATER_OF_SMALL = "the earlier one waits"
    EARLIER_OF_LARGE = "too large to be held beside the later one"
    LATER_OF_LARGE = "the earlier one was read just before"


_EARLIER = {_Role.EARLIER_ALONE, _Role.EARLIER_OF_SMALL, _Role.EARLIER_OF_LARGE}


@dataclass(slots=True)
class _Content:
    """The records of an object, in whatever order: how many, and the sum of their digests."""

    records: int = 0
    digests: int = 0

    def add(self, digest: bytes) -> None:
        self.records += 1
        self.digests += int.from_bytes(digest)


class _Endpoint:
    """The comparison of one endpoint, under way."""

    def __init__(  # noqa: PLR0913 - what a comparison consists of
        self,
        store: Store,
        endpoint: Endpoint,
        earlier: LandedDay,
        later: LandedDay,
        examples: int | None,
        progress: _Progress,
    ) -> None:
        self._store = store
        self._endpoint = endpoint
        self._days = (earlier, later)
        self._most = examples
        self._progress = progress
        self._finders = [finder(expression) for expression in endpoint.key or ()]
        self._records = {EARLIER: 0, LATER: 0}
        self._shapes: dict[int | str, Shape] = {s: Shape() for s in (EARLIER, LATER, "both")}
        self._objects = Counter[str]()
        self._only_bytes: list[str] = []

    def compare(self) -> EndpointComparison:
        found = Findings(self._most)
        try:
            with contextlib.closing(Pile()) as pile:
                pile.fill(self._rows())
                for unequal in pile.unequal():
                    found.take(unequal)
        except RecursionError as error:
            raise Violated(f"{self._endpoint.name}: a record is nested too deep") from error
        return self._told(found)

    # --- reading

    def _rows(self) -> Iterator[Row]:
        """The records of all objects, but for those that are plainly on both days."""
        roles = deque[_Role]()
        waiting: tuple[LandedObject, bytes] | None = None
        before = _Content()
        for landed, body in read_bodies(self._store, self._to_read(roles)):
            role = roles.popleft()
            self._progress.add(2 if role is _Role.SAME else 1)
            if role is _Role.SAME:
                self._take_same(landed, body)
            elif role is _Role.EARLIER_OF_SMALL:
                waiting = landed, body
            elif role is _Role.LATER_OF_SMALL and waiting:
                yield from self._take_pair(waiting, (landed, body))
            else:
                content = _Content()
                side = EARLIER if role in _EARLIER else LATER
                yield from self._take_one(side, landed, body, content)
                self._judge_object(landed, role, before, content)
                before = content

    def _take_same(self, landed: LandedObject, body: bytes) -> None:
        """Take in an object of the same bytes on both days: its records only have a shape."""
        self._objects["same"] += 1
        for record in records_in(body, landed.where(self._endpoint.records)):
            self._take_both(record)

    def _take_pair(
        self, earlier: tuple[LandedObject, bytes], later: tuple[LandedObject, bytes]
    ) -> Iterator[Row]:
        """Take in an object of both days. Records of the same text in both differ in nothing."""
        left: dict[str | None, list[Any]] = {}
        for record, text in written_in(earlier[1], earlier[0].where(self._endpoint.records)):
            left.setdefault(text, []).append(record)
        others = []
        for record, text in written_in(later[1], later[0].where(self._endpoint.records)):
            if text is not None and left.get(text):
                self._take_both(left[text].pop())
            else:
                others.append(record)
        before, content = _Content(), _Content()
        for record in chain.from_iterable(left.values()):
            yield self._taken(EARLIER, record, before)
        for record in others:
            yield self._taken(LATER, record, content)
        self._judge_object(later[0], _Role.LATER_OF_SMALL, before, content)

    def _take_one(
        self, side: int, landed: LandedObject, body: bytes, content: "_Content"
    ) -> Iterator[Row]:
        for record in records_in(body, landed.where(self._endpoint.records)):
            yield self._taken(side, record, content)

    def _take_both(self, record: Any) -> None:  # noqa: ANN401 - any JSON value
        self._shapes["both"].add(record)
        self._records[EARLIER] += 1
        self._records[LATER] += 1

    def _taken(self, side: int, record: Any, content: "_Content") -> Row:  # noqa: ANN401
        self._shapes[side].add(record)
        self._records[side] += 1
        text = text_of(record).encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(text, digest_size=_DIGEST_BYTES).digest()
        content.add(digest)
        return self._key(record), side, digest, text

    def _key(self, record: Any) -> bytes | None:  # noqa: ANN401 - any JSON value
        """A record's key as JSON text; None where it has none, or a part of it is null."""
        texts = []
        for find in self._finders:
            value = find(record)
            if value is None:
                return None
            texts.append(encode_basestring(value) if type(value) is str else text_of(value))
        if not texts:
            return None
        text = texts[0] if len(texts) == 1 else f"[{','.join(texts)}]"
        return text.encode("utf-8", "surrogatepass")

    def _to_read(self, roles: deque["_Role"]) -> Iterator[LandedObject]:
        """The objects of both days by name, those of the same bytes once; and their roles."""
        for earlier, later in _side_by_side(*(d.receipts(self._endpoint.name) for d in self._days)):
            if earlier and later and earlier.sha256 == later.sha256:
                roles.append(_Role.SAME)
                yield later
                continue
            paired = earlier is not None and later is not None
            small = all(each.bytes <= _SMALL for each in (earlier, later) if each)
            for side, landed in (("EARLIER", earlier), ("LATER", later)):
                if landed:
                    alone = "_OF_SMALL" if small else "_OF_LARGE"
                    roles.append(_Role[side + (alone if paired else "_ALONE")])
                    yield landed

    def _judge_object(
        self, landed: LandedObject, role: "_Role", before: "_Content", content: "_Content"
    ) -> None:
        if role is _Role.LATER_ALONE:
            self._objects["added"] += 1
        elif role is _Role.EARLIER_ALONE:
            self._objects["removed"] += 1
        elif role not in _EARLIER:
            alike = before == content
            self._objects["only bytes" if alike else "changed"] += 1
            if alike and (self._most is None or len(self._only_bytes) < self._most):
                self._only_bytes.append(landed.name)

    # --- telling

    def _told(self, found: Findings) -> EndpointComparison:
        earlier, later, both = self._shapes.values()
        earlier.include(both)
        later.include(both)
        objects = {name: self._objects[name] for name in ("added", "removed", "same")}
        return EndpointComparison(
            endpoint=self._endpoint.name,
            key=tuple(map(str, self._endpoint.key or ())),
            records_earlier=self._records[EARLIER],
            records_later=self._records[LATER],
            added=found.added,
            removed=found.removed,
            changed=found.changed,
            unchanged=self._records[EARLIER] - found.removed - found.changed,
            changed_fields=found.most_frequent(),
            fields=tuple(drift(earlier, later)),
            objects=Objects(
                earlier=self._days[0].count(self._endpoint.name),
                later=self._days[1].count(self._endpoint.name),
                only_bytes=self._objects["only bytes"],
                changed=self._objects["changed"],
                **objects,
            ),
            only_bytes=tuple(self._only_bytes),
            added_examples=tuple(found.added_examples),
            removed_examples=tuple(found.removed_examples),
            changed_examples=tuple(found.changed_examples),
            notes=tuple(self._notes(found, overfull=earlier.overfull or later.overfull)),
        )

    def _notes(self, found: Findings, *, overfull: bool) -> Iterator[str]:
        if found.keyless and self._finders:
            yield f"{found.keyless} records without a key are compared as wholes"
        if found.repeated:
            yield f"{found.repeated} records whose key repeats are told as added or removed"
        if overfull:
            yield f"more than {MOST_FIELDS} fields; no drift is told of those beyond"


def _side_by_side(
    earlier: Iterator[LandedObject], later: Iterator[LandedObject]
) -> Iterator[tuple[LandedObject | None, LandedObject | None]]:
    """Objects of the same name together, in their order; None where a day has none of it."""
    first, second = next(earlier, None), next(later, None)
    while first or second:
        if first and (second is None or first.order < second.order):
            yield first, None
            first = next(earlier, None)
        elif second and (first is None or second.order < first.order):
            yield None, second
            second = next(later, None)
        else:
            yield first, second
            first, second = next(earlier, None), next(later, None)
