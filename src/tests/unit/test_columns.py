"""Types and names for fields that nobody declared: nothing is rounded, nothing is lost."""

from __future__ import annotations

import json
import re
from decimal import Context, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ashore import exact
from ashore.columns import WIDEST, Shape, columns, text_of, without_halves
from ashore.database import open_database

OWN = ("extraction_date", "country")
PLACE = ("2026-11-24", "FRA")
VIEW = ("shop", "items")
TEXTS = st.text(max_size=8) | st.sampled_from(["", "\0", "\ud800", "a\0b", "'", '"', "a/b~c"])
NUMBERS = (
    st.integers()
    | st.sampled_from([2**53 + 1, 2**63, 2**77 + 1, -(2**127), 2**127, 10**40, 10**400])
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["number 3.14159265358979323846", "number -1e400", "number 1.0"])
)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
NAMES = TEXTS | st.sampled_from(["id", "ID", "country", "extraction_date", "record", "held", "p0"])


def parsed(text: str) -> Any:
    """What our own reader makes of a body."""
    try:
        return exact.quick.decode(text)
    except ValueError:
        return exact.patient.decode(text)


def written(value: object) -> str:
    """JSON in which some numbers are written as no double is."""
    return re.sub('"number ([^"]*)"', r"\1", json.dumps(value))


def shown(records: list[Any]) -> list[dict[str, str | None]]:
    """The records as a query shows them, each column as text."""
    with open_database(2**28) as opened:
        opened.load(VIEW, OWN, ((PLACE, record) for record in records))
        result = opened.answer("select * from shop.items")
        names = [heading.name for heading in result.columns]
        return [dict(zip(names, row, strict=True)) for row in result.rows()]


def types(*records: Any) -> dict[str, Any]:
    shape = Shape()
    for record in records:
        shape.see(record, WIDEST)
    return {column.name: column.structure for column in columns(shape, OWN)}


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ("1, null", "BIGINT"),
        (str(2**63 - 1), "BIGINT"),
        (str(2**63), "HUGEINT"),
        (str(2**77 + 1), "HUGEINT"),
        (str(2**127), "VARCHAR"),
        ("1" * 5000, "VARCHAR"),
        ("1.5, 2", "DOUBLE"),
        ("1.0", "DOUBLE"),
        ("1e300", "DOUBLE"),
        ("0.1, 0.30000000000000004", "DOUBLE"),
        ("NaN, 1", "DOUBLE"),
        (f"1.5, {2**77 + 1}", "VARCHAR"),
        ("3.14159265358979323846", "VARCHAR"),
        ("1e400", "VARCHAR"),
        ("true, false", "BOOLEAN"),
        ("true, 1", "VARCHAR"),
        ('"a", 1', "VARCHAR"),
        ("null", "VARCHAR"),
        ('"a", [1]', "JSON"),
        ("[1], {}", "JSON"),
        ("{}", "JSON"),
        ("[], [1]", ["BIGINT"]),
        ('{"a": 1}, {"b": "x"}', {"a": "BIGINT", "b": "VARCHAR"}),
        ('{"a": 1, "A": 2}', "JSON"),
        ('{"": 1}', "JSON"),
        ("[" * 20 + "1" + "]" * 20, [[[[[[[["JSON"]]]]]]]]),
    ],
)
def test_a_type_holds_all_that_was_seen(values: str, kind: object) -> None:
    found = parsed(f"[{values}]")
    assert types(*({"f": value} for value in found)) == {"f": kind}


def test_a_field_never_takes_the_name_of_a_column_of_ours() -> None:
    record = {"country": 1, "id": 2, "ID": 3, "Record_country": 4, "current_date": 5, "": 6}
    assert [*types(record)] == [
        *("record_country", "id", "record_ID", "record_Record_country"),
        *("record_current_date", "record_"),
    ]


@pytest.mark.parametrize("record", [1, "x", [1, 2], True, None])
def test_a_record_that_is_no_object_is_one_column(record: object) -> None:
    assert [*types(record)] == ["record"]


def test_a_record_with_the_keys_of_a_map_is_one_column() -> None:
    assert types({f"key {number}": number for number in range(WIDEST + 1)}) == {"record": "JSON"}


def plain(value: Any) -> Any:
    """A value without what a column cannot tell: an absent field from null, 1 from "1"."""
    if isinstance(value, dict):
        kept = {without_halves(k): plain(v) for k, v in value.items()}
        return {k: v for k, v in kept.items() if v is not None}
    if isinstance(value, list):
        return [plain(each) for each in value]
    if value is None:
        return None
    if isinstance(value, exact.Precise):
        value = value.text
    text = str(value).lower() if isinstance(value, bool) else str(value)
    try:
        return Decimal(text).normalize(Context(prec=500))
    except ArithmeticError:
        return without_halves(text)


FIELDS = st.dictionaries(NAMES, VALUES, max_size=4) | st.fixed_dictionaries({"id": NUMBERS})


@pytest.mark.slow
@given(st.lists(FIELDS, min_size=1, max_size=4))
def test_what_a_query_shows_is_what_the_records_hold(records: list[dict[str, Any]]) -> None:
    read = parsed(written(records))
    shape = Shape()
    for record in read:
        shape.see(record, WIDEST)
    found = columns(shape, OWN)
    rows = shown(read)
    for record, row in zip(read, rows, strict=True):
        assert (row["extraction_date"], row["country"]) == PLACE
        for column in found:
            value, text = (
                record if column.field is None else record.get(column.field),
                row[column.name],
            )
            nested = not isinstance(column.structure, str) or column.structure == "JSON"
            assert plain(parsed(text) if nested and text else text) == plain(value)


@given(VALUES)
def test_the_text_of_a_record_is_json_that_utf_8_can_carry(value: Any) -> None:
    record = parsed(written(value))
    assert plain(parsed(text_of(record).encode().decode())) == plain(record)
