"""Two days of records compared in the plainest way, to hold the quick one against."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

Bodies = Sequence[str]
"""The JSON texts of a day's objects, each an object with its records in `list`."""
Figures = tuple[int, int, int, dict[str, int]]
"""Of a field: how often its object was there, it itself, it as null; how often of each type."""


@dataclass(slots=True)
class Plain:
    """What differs."""

    added: Counter[str] = field(default_factory=Counter)
    removed: Counter[str] = field(default_factory=Counter)
    changed: dict[str, set[tuple[str, str | None, str | None]]] = field(default_factory=dict)
    drift: dict[str, tuple[set[str], Figures, Figures]] = field(default_factory=dict)


def compare(earlier: Bodies, later: Bodies, key: Sequence[str]) -> Plain:
    """Compare the records of two days by some of their fields, or as wholes."""
    found = Plain()
    first, second = list(_records(earlier)), list(_records(later))
    groups = defaultdict[str | None, tuple[list[Any], list[Any]]](lambda: ([], []))
    for side, records in enumerate((first, second)):
        for record in records:
            groups[_key(record, key)][side].append(record)
    for name, (before, after) in groups.items():
        lost, new = _without_equals(before, after)
        if name is not None and len(lost) == len(new) == 1:
            found.changed[name] = set(_differences(lost[0], new[0], ""))
        else:
            found.removed.update(map(meaning, lost))
            found.added.update(map(meaning, new))
    found.drift = _drift(first, second)
    return found


def meaning(value: Any) -> str:
    """Two values have the same one if they are equal: numbers by what they are worth."""
    match value:
        case None | bool() | str():
            return json.dumps(value)
        case Decimal() if value.is_nan():
            return "NaN"
        case int() | Decimal():
            number = Decimal(value)
            return "0" if number == 0 else _shortest(number)
        case list():
            return f"[{','.join(map(meaning, value))}]"
        case dict():
            names = sorted(value)
            return "{" + ",".join(f"{json.dumps(n)}:{meaning(value[n])}" for n in names) + "}"
    raise AssertionError(value)


def _shortest(number: Decimal) -> str:
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    text = "".join(map(str, digits)).lstrip("0")
    short = text.rstrip("0")
    return f"{'-' * sign}{short}e{exponent + len(text) - len(short)}"


def read(text: str) -> Any:
    """Parse JSON with every fraction as a decimal number."""
    return json.loads(text, parse_float=Decimal, parse_constant=Decimal)


def _records(bodies: Bodies) -> Iterator[Any]:
    for body in bodies:
        yield from read(body)["list"]


def _key(record: Any, key: Sequence[str]) -> str | None:
    values = [record.get(name) if isinstance(record, dict) else None for name in key]
    return None if not key or None in values else meaning(values)


def _without_equals(before: list[Any], after: list[Any]) -> tuple[list[Any], list[Any]]:
    lost, new = list(before), []
    for record in after:
        equal = next((i for i, r in enumerate(lost) if meaning(r) == meaning(record)), None)
        if equal is None:
            new.append(record)
        else:
            del lost[equal]
    return lost, new


def _differences(
    before: Any,
    after: Any,
    path: str,
) -> Iterator[tuple[str, str | None, str | None]]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in {*before, *after}:
            place = f"{path}.{name}" if path else name
            if name not in before:
                yield place, None, meaning(after[name])
            elif name not in after:
                yield place, meaning(before[name]), None
            else:
                yield from _differences(before[name], after[name], place)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for position, (first, second) in enumerate(zip(before, after, strict=True)):
            yield from _differences(first, second, f"{path or '@'}[{position}]")
    elif meaning(before) != meaning(after):
        yield path or "@", meaning(before), meaning(after)


# --- shape


def _drift(
    first: Iterable[Any], second: Iterable[Any]
) -> dict[str, tuple[set[str], Figures, Figures]]:
    before, after = _figures(first), _figures(second)
    drifted = {}
    for path in before.types.keys() | after.types.keys():
        kinds = _kinds(before.of(path), after.of(path))
        if kinds:
            drifted[path] = kinds, before.of(path), after.of(path)
    return drifted


def _kinds(before: Figures, after: Figures) -> set[str]:
    (of, present, null, types), (later_of, later_present, later_null, later_types) = before, after
    if not of or not later_of:
        return set()
    if not present or not later_present:
        return {"appeared" if later_present else "vanished"}
    kinds = set()
    if set(later_types) - {"null"} and set(types) - {"null"} != set(later_types) - {"null"}:
        kinds.add("type")
    if Decimal(later_null) / later_present > Decimal(null) / present:
        kinds.add("null more often")
    if Decimal(later_of - later_present) / later_of > Decimal(of - present) / of:
        kinds.add("missing more often")
    return kinds


@dataclass(slots=True)
class _Shape:
    types: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    owners: dict[str, str | None] = field(default_factory=dict)
    objects: Counter[str] = field(default_factory=Counter)

    def of(self, path: str) -> Figures:
        types = self.types.get(path, Counter())
        present = types.total()
        owner = self.owners.get(path, _owner(path))
        of = present if owner is None else self.objects[owner]
        return of, present, types["null"], dict(types)


def _owner(path: str) -> str | None:
    """The path of the object that a field belongs to, where the day has none of the field."""
    if path == "@" or path.endswith("[]"):
        return None
    return path.rpartition(".")[0] or "@"


def _figures(records: Iterable[Any]) -> _Shape:
    shape = _Shape()
    for record in records:
        _see(shape, record, "@", None)
    return shape


def _see(shape: _Shape, value: Any, path: str, owner: str | None) -> None:
    shape.types[path][_type(value)] += 1
    shape.owners[path] = owner
    if isinstance(value, dict):
        shape.objects[path] += 1
        for name, item in value.items():
            _see(shape, item, name if path == "@" else f"{path}.{name}", path)
    if isinstance(value, list):
        for item in value:
            _see(shape, item, f"{path}[]", None)


def _type(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    names = {int: "integer", Decimal: "number", str: "string", list: "array", dict: "object"}
    return "null" if value is None else names[type(value)]
