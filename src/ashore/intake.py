"""The records of an endpoint on both days, read: shapes counted, what may differ passed on."""

import hashlib
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import chain
from json.encoder import encode_basestring
from typing import Any

from ashore.bodies import finder, records_in, written_in
from ashore.catalog import Endpoint
from ashore.drift import Shape
from ashore.exact import text_of
from ashore.landed import LandedDay, LandedObject
from ashore.pairing import EARLIER, LATER, Row
from ashore.read_ahead import read_ahead
from ashore.store import Store

_DIGEST_BYTES = 16
_SMALL = 2**21
"""Bytes up to which the records of an object are held to be looked for on the other day."""


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


class Intake:
    """Reads the objects of an endpoint on both days, and counts what it sees.

    ``most`` names of objects of which only the bytes differ are kept, all where it is None;
    ``done`` hears how many objects more were read.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        days: tuple[LandedDay, LandedDay],
        most: int | None,
        done: Callable[[int], None],
    ) -> None:
        """Begin with nothing read."""
        self.records = {EARLIER: 0, LATER: 0}
        self.shapes = {EARLIER: Shape(), LATER: Shape()}
        self.objects = Counter[str]()
        self.only_bytes: list[str] = []
        self._both = Shape()
        self._endpoint = endpoint
        self._days = days
        self._most = most
        self._done = done
        self._finders = [finder(expression) for expression in endpoint.key or ()]

    def rows(self, store: Store) -> Iterator[Row]:
        """Yield the records of all objects, but for those that are plainly on both days."""
        roles = deque[_Role]()
        waiting: tuple[LandedObject, bytes] | None = None
        before = _Content()
        for landed, body in read_ahead(store, self._to_read(roles)):
            role = roles.popleft()
            self._done(2 if role is _Role.SAME else 1)
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
        for shape in self.shapes.values():
            shape.include(self._both)

    def _take_same(self, landed: LandedObject, body: bytes) -> None:
        """Take in an object of the same bytes on both days: its records only have a shape."""
        self.objects["same"] += 1
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
        self._both.add(record)
        self.records[EARLIER] += 1
        self.records[LATER] += 1

    def _taken(self, side: int, record: Any, content: "_Content") -> Row:  # noqa: ANN401
        self.shapes[side].add(record)
        self.records[side] += 1
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
            small = all(each.bytes <= _SMALL for each in (earlier, later) if each)
            if not (earlier and later):
                own = _Role.EARLIER_ALONE, _Role.LATER_ALONE
            elif small:
                own = _Role.EARLIER_OF_SMALL, _Role.LATER_OF_SMALL
            else:
                own = _Role.EARLIER_OF_LARGE, _Role.LATER_OF_LARGE
            for role, landed in zip(own, (earlier, later), strict=True):
                if landed:
                    roles.append(role)
                    yield landed

    def _judge_object(
        self, landed: LandedObject, role: "_Role", before: "_Content", content: "_Content"
    ) -> None:
        if role is _Role.LATER_ALONE:
            self.objects["added"] += 1
        elif role is _Role.EARLIER_ALONE:
            self.objects["removed"] += 1
        elif role not in _EARLIER:
            alike = before == content
            self.objects["only bytes" if alike else "changed"] += 1
            if alike and (self._most is None or len(self.only_bytes) < self._most):
                self.only_bytes.append(landed.name)


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
