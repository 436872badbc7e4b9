from __future__ import annotations

import json

from ashore import drift
from ashore.drift import MOST_FIELDS, FieldDrift, Shape, path_text
from ashore.exact import quick


def shape(*records: str) -> Shape:
    """The shape of records."""
    counted = Shape()
    for record in records:
        counted.add(quick.decode(record))
    return counted


def drifted(earlier: Shape, later: Shape) -> dict[str, FieldDrift]:
    """What drifted, by field."""
    return {each.field: each for each in drift.drift(earlier, later)}


def test_each_kind_of_drift_has_its_figures() -> None:
    earlier = shape(
        '{"a": 1, "b": "x", "c": {"d": 1}, "e": 1}', '{"a": 2, "b": "y", "c": {"d": 2}}'
    )
    later = shape('{"a": 1.0, "b": null, "c": {}, "f": 1}', '{"a": 2, "b": "y", "c": {"d": 2}}')
    found = drifted(earlier, later)
    assert {name: each.kinds for name, each in found.items()} == {
        "a": ("type",),
        "b": ("null more often",),
        "c.d": ("missing more often",),
        "e": ("vanished",),
        "f": ("appeared",),
    }
    assert found["a"].later.types == {"integer": 1, "number": 1}
    assert (found["b"].later.null, found["b"].later.present, found["b"].later.of) == (1, 2, 2)
    assert (found["c.d"].earlier.present, found["c.d"].later.present) == (2, 1)


def test_what_became_rarer_or_stayed_is_no_drift() -> None:
    earlier = shape('{"a": null, "b": 1}', '{"a": 1}', '{"a": 2}')
    later = shape('{"a": null, "b": 2}', '{"a": 1}', '{"a": 2}', '{"a": 3, "b": 1}')
    assert drifted(earlier, later) == {}


def test_of_an_object_that_appeared_its_fields_are_not_told() -> None:
    found = drifted(shape('{"a": 1}'), shape('{"a": 1, "b": {"c": {"d": [1]}}}'))
    assert {name: each.kinds for name, each in found.items()} == {"b": ("appeared",)}


def test_elements_of_lists_have_a_shape_of_their_own() -> None:
    many = [1] * 40
    found = drifted(
        shape(json.dumps({"a": many, "b": [{"c": 1}], "d": [[1]]})),
        shape(json.dumps({"a": [*many, "x"], "b": [{"c": 1}, {}], "d": [[None, 1]]})),
    )
    assert {name: each.kinds for name, each in found.items()} == {
        "a[]": ("type",),
        "b[].c": ("missing more often",),
        "d[][]": ("null more often",),
    }
    assert found["a[]"].later.types == {"integer": 40, "string": 1}


def test_without_records_on_a_day_nothing_drifted() -> None:
    assert drifted(shape(), shape('{"a": 1}')) == {}


def test_shapes_add_up() -> None:
    records = ['{"a": 1, "b": [{"c": 1}]}', '{"a": null}', "5", '[{"x": 1}]'] * 3
    whole, first = shape(*records), shape(*records[:5])
    first.include(shape(*records[5:]))
    assert first.seen() == whole.seen()


def test_names_that_are_data_have_an_end() -> None:
    counted = Shape()
    for number in range(0, 3 * MOST_FIELDS, 100):
        counted.add({f"n{n}": {"deep": n} for n in range(number, number + 100)})
    assert counted.overfull
    assert len(counted.seen()) <= MOST_FIELDS
    # What fell beyond the end must not be told as vanished.
    later = shape('{"other": 1}')
    assert not {each.field for each in drift.drift(counted, later)} - {"@"}


def test_paths_are_written_as_jmespath_writes_them() -> None:
    assert path_text(()) == "@"
    assert path_text(("a", "b c", None, 0, "d")) == 'a."b c"[][0].d'
    assert path_text((None, "a")) == "@[].a"
