from __future__ import annotations

import json
from typing import Any
from unittest.mock import patch

import pytest

from ashore import bodies, exact
from ashore.bodies import Where, records_in, steps_of, written_in
from ashore.catalog import Endpoint, Expression
from ashore.errors import Violated
from ashore.exact import shown, text_of, value_of

SAME = [
    ("1", "1.0", "1e0", "10e-1"),
    ("0", "-0", "0.0", "-0.0e7"),
    ("0.1", "0.10", "1e-1", "0.1000000000000000000000"),
    ("151115727451828646838273", "151115727451828646838273.0", "1.51115727451828646838273e23"),
    ("0.1000000000000000055", "1.000000000000000055e-1"),
    ("1" + "0" * 4_200, "1e4200"),
    ("-" + "7" * 4_300, "-" + "7" * 4_300 + ".0"),
    ("1" + "0" * 5_000, "1e5000"),
    ("NaN", "NaN"),
    ('{"a": 1, "b": 2}', '{"b":2.0,"a":1}'),
    ('"\\u00e9"', '"é"'),
]
OTHER = [
    ("1", "true"),
    ("1", '"1"'),
    ("0", "null"),
    ("0.1", "0.1000000000000000055"),
    ("151115727451828646838272", "151115727451828646838273"),
    ("1e400", "Infinity"),
    ("1e-400", "0"),
    ("1e400", "1e401"),
    ("[1, 2]", "[2, 1]"),
    ('"\\ud800"', '"\\ud801"'),
    ("1e" + "9" * 30, "1e" + "8" * 30),
]


def expression(text: str | None) -> Expression | None:
    """An expression as a catalog declares it."""
    return Endpoint.model_validate({"name": "e", "path": "e", "records": text}).records


def read(body: str, text: str | None = None, *, none: bool = False) -> list[Any]:
    """The records of a body."""
    return list(records_in(body.encode(), Where(expression(text), "here", may_be_none=none)))


def text(value: str) -> str:
    """The text by which a value is compared."""
    (record,) = read(f"[{value}]")
    return text_of(record)


@pytest.mark.parametrize("values", SAME)
def test_equal_values_have_one_text(values: tuple[str, ...]) -> None:
    assert len({text(value) for value in values}) == 1


@pytest.mark.parametrize("values", OTHER)
def test_other_values_have_other_texts(values: tuple[str, str]) -> None:
    assert text(values[0]) != text(values[1])


@pytest.mark.parametrize("value", ["0.1000000000000000055", "1e-400", "151115727451828646838273"])
def test_numbers_are_shown_as_they_are(value: str) -> None:
    assert shown(text(f'{{"a":[{value}]}}')) == f'{{"a":[{value}]}}'


def test_no_text_of_an_api_passes_for_a_number_that_no_double_holds() -> None:
    number = text("0.1000000000000000055")
    (name,) = value_of(number)
    with patch.object(exact, "_MARK", "another"):
        assert text(json.dumps({name: "0.1000000000000000055"})) == number
    # The name is drawn anew in every process, and long.
    assert len(name) == 33


@pytest.mark.parametrize(
    ("written", "steps"),
    [
        (None, ()),
        ("@", ()),
        ("[1]", (1,)),
        ("data.objects", ("data", "objects")),
        ('a[0]."b c"[2]', ("a", 0, "b c", 2)),
        ("data[]", None),
        ("data[*]", None),
        ("[-1]", None),
        ("a | b", None),
        ("a || b", None),
        ("sort(a)", None),
    ],
)
def test_only_names_and_positions_are_steps(
    written: str | None, steps: tuple[str | int, ...] | None
) -> None:
    assert steps_of(expression(written)) == steps


BODIES = [
    ("[1]", '[{"page": [1]}, [{"a": 1}, [2], "]"]]'),
    ("[1]", "[0,[]]"),
    ("[0]", '[ [ 1 , {"a":[]} ] , 2 ]'),
    ("a.b", '{"x": {"b": [0]}, "a": {"b": [1, {"b": [2]}]}, "z": [3]}'),
    ("a.b", '{"a": {"b": [1]}, "a": {"b": [2], "b": [3, 4]}}'),
    ("a.b", '{"a": {"\\u0062": [5], "b": [6], "\\u0062": [7]}}'),
    ("a.b", '{"a": {"b": [{"a": {"b": [8]}}]}}'),
    ('"a\\"b"', '{"a\\"b": [9], "x": {}}'),
    ("a[1].b", '{"a": [{"b": [0]}, {"b": [1, 1e999]}, {}]}'),
    (None, '\ufeff [1, "é", {}]'),
    (None, '{"a": [1]}'),
    (None, " 5 "),
    ("@", "[[1]]"),
    ("[]", "[[1], [2]]"),
    ("a", '{"a": [' + "1" * 5_000 + "]}"),
]


@pytest.mark.parametrize(("written", "body"), BODIES)
def test_record_by_record_a_body_holds_the_same_as_a_whole(written: str | None, body: str) -> None:
    whole = read(body, written)
    with patch.object(bodies, "_LARGE", 0):
        assert list(map(text_of, read(body, written))) == list(map(text_of, whole))
    where = Where(expression(written), "here")
    by_text = list(written_in(body.encode(), where))
    assert [text_of(record) for record, _ in by_text] == list(map(text_of, whole))
    for record, own in by_text:
        assert own is None or text_of(read(f"[{own}]")[0]) == text_of(record)


@pytest.mark.parametrize("large", [0, 2**22])
@pytest.mark.parametrize(
    ("written", "body"),
    [("a", '{"a": {}}'), ("[1]", "[0]"), ("a", "{}"), ("[0]", "{}"), ("a.b", '{"a": null}')],
)
def test_where_no_list_is_the_catalog_is_another(written: str, body: str, large: int) -> None:
    with patch.object(bodies, "_LARGE", large):
        with pytest.raises(Violated, match=r"here: records = .* finds no list in it.*--catalog"):
            read(body, written)
        assert read(body, written, none=True) == []


@pytest.mark.parametrize("large", [0, 2**22])
@pytest.mark.parametrize("body", ["", "[1,", '{"a":[1}', '{"a" 1}', "[" * 100_000, '{"a":[1 2]}'])
def test_what_is_no_json_is_named(body: str, large: int) -> None:
    for written in ("a", None):
        with patch.object(bodies, "_LARGE", large), pytest.raises(Violated, match=r"here: i[st] "):
            read(body, written)


def test_what_is_no_utf_8_is_named() -> None:
    with pytest.raises(Violated, match=r"here: .*byte 1 is not UTF-8"):
        list(records_in(b"[\xff]", Where(None, "here")))
