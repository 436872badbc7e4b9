"""The shape of records, counted; and how it drifted from one day to another. Pure."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import repeat
from typing import Any

from ashore.exact import json_type, text_of

MOST_FIELDS = 10_000
"""How many fields of an endpoint are told apart: some APIs use data as names."""
DEEPEST = 64
"""How deep fields are told apart; what is deeper is one value."""
_MOST_NAMES = 100_000
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_PIECE = 16

Path = tuple[str | int | None, ...]
"""The way to a field: names, positions in lists, None for any position."""
_Like = tuple[int, tuple[str, ...] | None, tuple[type, ...]]
"""What objects have in common: the number of their path, names, types; without names a list."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of a field on one day."""

    of: int
    """How often the object was there that the field belongs to."""
    present: int
    null: int
    types: Mapping[str, int]
    """How often it had each JSON type."""


@dataclass(frozen=True, slots=True)
class FieldDrift:
    """A field whose shape is another than it was."""

    field: str
    """Its path as JMESPath writes it, with ``[]`` for any element of a list."""
    kinds: tuple[str, ...]
    """Of ``appeared``, ``vanished``, ``type``, ``null more often``, ``missing more often``."""
    earlier: Seen
    later: Seen


@dataclass(slots=True)
class _Alike:
    """How many objects were alike, and what is nested in them."""

    nested: tuple[tuple[Any, type, int], ...]
    """The name or position of each object and list, which of both, and the number of its path."""
    number: int = 0


def path_text(path: Path) -> str:
    """Return a path as JMESPath writes it; ``@`` is the record itself."""
    text = "" if path and isinstance(path[0], str) else "@"
    for part in path:
        if isinstance(part, str):
            name = part if _PLAIN.fullmatch(part) else text_of(part)
            text += f".{name}" if text else name
        else:
            text += "[]" if part is None else f"[{part}]"
    return text


class Shape:
    """Counts the fields of records by path and JSON type. Its memory has an end.

    Objects of the same names and types at the same path are counted together, and so are pieces
    of lists: most records of an endpoint are alike, and counting them so is quick.
    """

    def __init__(self) -> None:
        """Begin with no records."""
        self._alike: dict[_Like, _Alike] = {}
        self._names = 0
        self._paths: list[Path] = [()]
        self._ids: dict[tuple[int, str | None], int] = {}
        self._values = Counter[tuple[Path, type]]()
        self._objects = Counter[Path]()
        self._fields = set[Path]()
        self.overfull = False
        """Whether there were more fields than are told apart."""

    def add(self, record: Any) -> None:  # noqa: ANN401 - any JSON value
        """Count a record."""
        if type(record) is dict:
            self._take_object(0, record)
        else:
            self._count((), type(record))
            if type(record) is list and (place := self._id(0, None)) is not None:
                self._take_list(place, record)
        if self._names > _MOST_NAMES:
            self._fold()

    def include(self, other: "Shape") -> None:
        """Count all that another shape counted."""
        values, objects = other.counts()
        for (path, kind), number in values.items():
            self._count(path, kind, number)
        self._objects.update(objects)
        self.overfull |= other.overfull

    def counts(self) -> tuple[Counter[tuple[Path, type]], Counter[Path]]:
        """Return how often each field had each type, and how often each object was there."""
        self._fold()
        return self._values, self._objects

    def seen(self) -> dict[Path, Seen]:
        """Return what was seen of each field."""
        self._fold()
        types: dict[Path, Counter[str]] = {}
        for (path, kind), number in self._values.items():
            types.setdefault(path, Counter())[json_type(kind)] += number
        return {path: self._seen(path, types[path]) for path in types}

    def objects(self, path: Path) -> int:
        """Return how often an object was seen at a path, to which a field could belong."""
        return self._objects[path]

    def _seen(self, path: Path, types: Counter[str]) -> Seen:
        present = types.total()
        of = self._objects[path[:-1]] if path and path[-1] is not None else present
        return Seen(of, present, types["null"], dict(sorted(types.items())))

    def _take_object(self, place: int, value: dict[str, Any]) -> None:
        kinds = tuple(map(type, value.values()))
        like = (place, tuple(value), kinds)
        alike = self._alike.get(like)
        if alike is None:
            alike = self._begin(like, zip(value, value, kinds, strict=True))
        alike.number += 1
        for name, kind, child in alike.nested:
            self._take(child, kind, value[name])

    def _take_list(self, place: int, values: list[Any]) -> None:
        for start in range(0, len(values), _PIECE):
            piece = values[start : start + _PIECE]
            kinds = tuple(map(type, piece))
            like = (place, None, kinds)
            alike = self._alike.get(like)
            if alike is None:
                positions = range(len(piece))
                alike = self._begin(like, zip(positions, repeat(None), kinds, strict=False))
            alike.number += 1
            for position, kind, child in alike.nested:
                self._take(child, kind, piece[position])

    def _take(self, place: int, kind: type, value: Any) -> None:  # noqa: ANN401 - any JSON value
        if kind is dict:
            self._take_object(place, value)
        else:
            self._take_list(place, value)

    def _begin(self, like: "_Like", values: Iterable[tuple[Any, str | None, type]]) -> "_Alike":
        """Remember what is seen for the first time: where what is nested in it belongs."""
        place = like[0]
        nested = []
        for where, name, kind in values:
            if kind is dict or kind is list:
                child = self._id(place, name) if name is not None else place
                child = self._id(child, None) if kind is list and child is not None else child
                if child is not None:
                    nested.append((where, kind, child))
        self._names += len(like[2]) + 1
        self._alike[like] = alike = _Alike(tuple(nested))
        return alike

    def _id(self, place: int, name: str | None) -> int | None:
        """The number of a path, by that of the path above it; None of one that is not told."""
        known = self._ids.get((place, name))
        if known is None:
            if len(self._paths[place]) >= DEEPEST:
                return None
            if len(self._paths) > MOST_FIELDS:
                self.overfull = True
                return None
            known = self._ids[place, name] = len(self._paths)
            self._paths.append((*self._paths[place], name))
        return known

    def _fold(self) -> None:
        """Count the fields of all objects seen so far, so that the objects can be forgotten."""
        for (place, names, kinds), alike in self._alike.items():
            path, number = self._paths[place], alike.number
            if names is None:
                for kind in kinds:
                    self._count(path, kind, number)
                continue
            self._objects[path] += number
            if not path:
                self._count(path, dict, number)
            for name, kind in zip(names, kinds, strict=True):
                self._count((*path, name), kind, number)
        self._alike.clear()
        self._names = 0

    def _count(self, path: Path, kind: type, number: int = 1) -> None:
        if path not in self._fields:
            if len(self._fields) >= MOST_FIELDS:
                self.overfull = True
                return
            self._fields.add(path)
        self._values[path, kind] += number


def drift(earlier: Shape, later: Shape) -> Iterator[FieldDrift]:
    """Yield each field whose shape drifted, in the order of their paths.

    A field that appeared with the object it belongs to is not told: the object is. Where one day
    has no records, there is no shape to compare.
    """
    before, after = earlier.seen(), later.seen()
    paths = {path: path_text(path) for path in before.keys() | after.keys()}
    for path, text in sorted(paths.items(), key=lambda item: item[1]):
        first = before.get(path) or _unseen(earlier, path)
        second = after.get(path) or _unseen(later, path)
        kinds = tuple(_kinds(first, second, trusted=not (earlier.overfull or later.overfull)))
        if first.of and second.of and kinds:
            yield FieldDrift(text, kinds, first, second)


def _unseen(shape: Shape, path: Path) -> Seen:
    # What belongs to no object - a record, an element of a list - is not missing when unseen.
    of = shape.objects(path[:-1]) if path and path[-1] is not None else 0
    return Seen(of, 0, 0, {})


def _kinds(earlier: Seen, later: Seen, *, trusted: bool) -> Iterator[str]:
    if not earlier.present or not later.present:
        if trusted:
            yield "appeared" if later.present else "vanished"
        return
    types, others = earlier.types.keys() - {"null"}, later.types.keys() - {"null"}
    # Of what is null from now on, the next line tells.
    if others and types != others:
        yield "type"
    # Shares are compared by multiplying: no rounding calls two of them different.
    if later.null * earlier.present > earlier.null * later.present:
        yield "null more often"
    missing_before, missing = earlier.of - earlier.present, later.of - later.present
    if missing * earlier.of > missing_before * later.of:
        yield "missing more often"
