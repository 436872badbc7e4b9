"""Columns for records whose fields nobody declared: types that hold every value, and safe names."""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ashore.exact import Precise

WIDEST = 1_000
"""Fields that become columns; records with more are shown whole, for these are keys of a map."""
KEPT = ("current_date", "current_time", "current_timestamp", "localtime", "localtimestamp")
"""What SQL means by these words is never a field of a record."""
_WIDEST_OBJECT = 100
_DEEPEST = 8
_SMALL = 2**53
"""Integers up to here are exact whatever they stand among."""
_TORN = re.compile("[\ud800-\udfff]")

Structure = Any
"""A type as ``json_transform`` of DuckDB takes it: a name, a list with one type, or an object."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a view: its name, the field that it shows (None: the whole record), a type."""

    name: str
    field: str | None
    structure: Structure
    apart: bool = False
    """Whether the field has a name that cannot stand beside the others in one type."""


class Numbers:
    """What the numbers of one place have in common."""

    __slots__ = ("decimals", "high", "low", "rounded")

    def __init__(self) -> None:
        """Begin with none."""
        self.low = self.high = 0
        self.decimals = self.rounded = False
        """Whether there are decimal numbers, and whether a double would round any number."""

    def see(self, number: float | Decimal) -> None:
        """Take a number in."""
        if type(number) is float:
            self.decimals = True
            return
        if type(number) is not int:
            self.decimals = True
        if isinstance(number, int):
            self.low, self.high = min(self.low, number), max(self.high, number)
        if isinstance(number, Decimal) or not -_SMALL <= number <= _SMALL:
            self.rounded = self.rounded or not is_kept(number)

    def type(self) -> str:
        """Return the narrowest type of DuckDB that holds all of them, or text where none does."""
        if self.decimals:
            return "VARCHAR" if self.rounded else "DOUBLE"
        most = max(self.high, -self.low)
        return "BIGINT" if most < 2**63 else "HUGEINT" if most < 2**127 else "VARCHAR"


def is_kept(number: float | Decimal) -> bool:
    """Tell whether a double, written out, is the number that was written."""
    try:
        return Decimal(repr(float(number))) == number
    except OverflowError:
        return False


class Shape:
    """What the values of one place in all records have in common."""

    __slots__ = ("booleans", "fields", "items", "numbers", "texts", "wide")

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self.booleans = self.texts = self.wide = False
        self.numbers: Numbers | None = None
        self.items: Shape | None = None
        self.fields: dict[str, Shape] | None = None

    def see(self, value: object, widest: int = _WIDEST_OBJECT) -> None:
        """Take a value in, with all that it holds."""
        if isinstance(value, str):
            self.texts = True
        elif isinstance(value, bool):
            self.booleans = True
        elif isinstance(value, int | float | Decimal):
            self.numbers = self.numbers or Numbers()
            self.numbers.see(value)
        elif isinstance(value, list):
            items = self.items = self.items or Shape()
            for each in value:
                items.see(each)
        elif isinstance(value, dict):
            self._see_fields(value, widest)

    def _see_fields(self, value: Mapping[str, Any], widest: int) -> None:
        fields = self.fields = {} if self.fields is None else self.fields
        for name, each in value.items():
            shape = fields.get(name)
            if shape is None:
                # What has so many names is a map: what they are is no longer kept.
                self.wide = self.wide or len(fields) >= widest
                if self.wide:
                    continue
                shape = fields[name] = Shape()
            # Most values are of these kinds, and a call for each would double the time.
            kind = type(each)
            if kind is str:
                shape.texts = True
            elif kind is not int or shape.numbers is None or not -_SMALL <= each <= _SMALL:
                shape.see(each)

    def structure(self, depth: int = 0) -> Structure:
        """Return a type that holds all that was seen, exactly.

        Text where numbers, truths and texts are mixed; JSON where they are mixed with lists or
        objects, and where objects are maps, nested deeper than is of use, or named beyond SQL.
        """
        scalar = self.texts or self.booleans or self.numbers is not None
        kinds = [scalar, self.items is not None, self.fields is not None]
        if sum(kinds) > 1 or depth > _DEEPEST:
            return "JSON"
        if self.items is not None:
            return [self.items.structure(depth + 1)]
        if self.fields is not None:
            return self._object(depth)
        return self._scalar()

    def _scalar(self) -> str:
        if self.numbers is not None and not (self.texts or self.booleans):
            return self.numbers.type()
        return "BOOLEAN" if self.booleans and not (self.texts or self.numbers) else "VARCHAR"

    def _object(self, depth: int) -> Structure:
        fields = self.fields or {}
        if self.wide or not fields or set(fields) != _fit(fields):
            return "JSON"
        return {name: shape.structure(depth + 1) for name, shape in fields.items()}


def columns(shape: Shape, own: Sequence[str]) -> list[Column]:
    """Return the columns of records, in the order in which their fields were first seen.

    ``own`` are the names of columns that stand beside them and come first. A field of such a name
    is called ``record_NAME``; SQL does not tell ``id`` from ``ID``, so the second is renamed too.
    """
    taken = {*own, *KEPT}
    plain = shape.structure()
    fields = shape.fields or {}
    if shape.wide or not fields or (plain == "JSON" and _is_mixed(shape)):
        return [Column(_fresh("record", taken), None, plain)]
    fit = _fit(fields)
    return [
        Column(_fresh(name, taken), name, each.structure(1), apart=name not in fit)
        for name, each in fields.items()
    ]


def _is_mixed(shape: Shape) -> bool:
    return shape.texts or shape.booleans or bool(shape.numbers) or shape.items is not None


def _fit(names: Collection[str]) -> set[str]:
    """The names that can stand beside each other in one type of DuckDB."""
    folded: dict[str, str] = {}
    for name in names:
        folded.setdefault(name.lower(), name)
    return {
        name for name in folded.values() if name and "\0" not in name and not _TORN.search(name)
    }


def _written(value: object) -> object:
    """How a number that no double holds as it was written stands in the text of a record."""
    if isinstance(value, Precise):
        return float(value) if is_kept(value) else value.text
    raise TypeError(f"{type(value).__name__} is no JSON value")


_encode = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), default=_written, check_circular=False
).encode


def text_of(record: object) -> str:
    """Return a record as JSON that DuckDB reads without rounding a number.

    Half of a surrogate pair, which no UTF-8 can carry, is spelled out as the JSON had it.
    """
    text = _encode(record)
    return text if text.isascii() else without_halves(text, "\\\\u")


def without_halves(text: str, mark: str = "\\u") -> str:
    """Return a text with halves of surrogate pairs spelled out after a mark."""
    return _TORN.sub(lambda half: f"{mark}{ord(half[0]):04x}", text)


def _fresh(name: str, taken: set[str]) -> str:
    """A name for a column that no other has, however SQL writes it; it is taken then."""
    name = without_halves(name.replace("\0", "\\u0000"))
    stem = name if name and name.lower() not in taken else f"record_{name}"
    fresh, number = stem, 1
    while fresh.lower() in taken:
        number += 1
        fresh = f"{stem}_{number}"
    taken.add(fresh.lower())
    return fresh
