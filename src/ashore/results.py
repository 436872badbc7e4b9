"""What a query found, as people and programs read it: a table, CSV, or one JSON document."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Literal

from rich.markup import escape
from rich.table import Table

from ashore.database import Heading, Result, Values
from ashore.redaction import on_one_line, printable
from ashore.views import is_nested

ROWS_SHOWN = 200
_WIDEST = 60
_LEAST = 12
"""Characters that a text needs, if it has so many, for its column to be shown at all."""
_FRAME = 3
_TOGETHER = 1_000
_NUMBERS = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|BIGNUM|DOUBLE|FLOAT|DECIMAL.*")
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?(e[+-]?\d+)?", re.ASCII)
_QUOTE = '"'
_EMPTY = '""'
"""A row of one column without a value: an empty line would be no row."""
_TO_QUOTE = re.compile('[",\r\n]')
_NOT_ASCII = re.compile("[^\0-~]")
_NOT_JSON = re.compile(r"\b(NaN|-?Infinity|-?nan|-?inf)\b")


def table(result: Result, width: int) -> tuple[Table, str]:
    """Return the first rows as a table for a screen of a width, and a line about all of them.

    A text is shown up to 60 characters, a number always whole. Columns for which there is no room
    are left out, and the line says so.
    """
    rows = [tuple(map(_cell, row)) for row in islice(result.rows(), ROWS_SHOWN)]
    names = [_cell(heading.name) for heading in result.columns]
    numbers = [_NUMBERS.fullmatch(heading.type) is not None for heading in result.columns]
    longest = [
        max(map(len, [name, *(r[i] for r in rows)]), default=0) for i, name in enumerate(names)
    ]
    widths = _widths(longest, numbers, width - 1)
    drawn = Table()
    for name, number, wide in zip(names, numbers, widths, strict=False):
        justify: Literal["right", "left"] = "right" if number else "left"
        drawn.add_column(
            escape(name), justify=justify, width=wide, no_wrap=True, overflow="ellipsis"
        )
    for row in rows:
        drawn.add_row(*(escape(value) for value in row[: len(widths)]))
    return drawn, _told(result, len(rows), len(widths))


def _widths(longest: Sequence[int], numbers: Sequence[bool], room: int) -> list[int]:
    """How wide each column is shown, as many as there is room for, and at least one."""
    widths: list[int] = []
    for wide, number in zip(longest, numbers, strict=True):
        least = wide if number else min(wide, _LEAST)
        if widths and room < least + _FRAME:
            break
        widths.append(max(least, 1))
        room -= least + _FRAME
    for position, wide in enumerate(longest[: len(widths)]):
        more = max(min(wide - widths[position], room), 0)
        widths[position] += more
        room -= more
    return widths


def _cell(value: str | None) -> str:
    shown = "" if value is None else on_one_line(value[: _WIDEST + 1])
    return shown if len(shown) <= _WIDEST else f"{shown[: _WIDEST - 1]}…"


def _told(result: Result, rows: int, columns: int) -> str:
    told = f"{result.count} row{'' if result.count == 1 else 's'}"
    parts = [f"the first {rows} rows"] if rows < result.count else []
    parts += [f"{columns} of {len(result.columns)} columns"] * (columns < len(result.columns))
    return f"{told}; shown: {', '.join(parts)}; --csv and --json give all" if parts else told


def csv_lines(result: Result, *, on_terminal: bool) -> Iterator[str]:
    """Yield the rows as CSV (RFC 4180, but with plain line ends), many lines at a time.

    What is no value is an empty field, and an empty text is ``""``. Values stand as they are; only
    on a terminal their control characters are escaped.
    """
    heading: Values = tuple(column.name for column in result.columns)
    rows = chain([heading], result.rows())
    while some := [*islice(rows, _TOGETHER)]:
        text = "".join(f"{','.join(map(_field, row)) or _EMPTY}\n" for row in some)
        yield printable(text) if on_terminal else text


def _field(value: str | None) -> str:
    if value is None:
        return ""
    return (
        f'"{value.replace(_QUOTE, 2 * _QUOTE)}"' if not value or _TO_QUOTE.search(value) else value
    )


def json_lines(result: Result, head: Mapping[str, object]) -> Iterator[str]:
    """Yield the lines of one JSON document: what ``head`` says, and then the rows as objects.

    Numbers are written in full, whatever their length; NaN and infinite ones, which JSON does not
    know, as text.
    """
    columns = [{"name": each.name, "type": each.type} for each in result.columns]
    start = json.dumps({**head, "columns": columns}, indent=2, sort_keys=True)
    yield f'{start.removesuffix("}").rstrip()},\n  "rows": ['
    rows, names = result.rows(), [json.dumps(column.name) for column in result.columns]
    left = result.count
    for row in rows:
        left -= 1
        yield f"    {_object(row, names, result.columns)}{',' if left else ''}"
    yield "  ]\n}"


def _object(row: Values, names: Sequence[str], columns: Sequence[Heading]) -> str:
    values = zip(names, row, columns, strict=True)
    return f"{{{', '.join(f'{name}: {_json(v, column.type)}' for name, v, column in values)}}}"


def _json(value: str | None, kind: str) -> str:
    if value is None:
        return "null"
    if kind == "BOOLEAN" or (_NUMBERS.fullmatch(kind) and _NUMBER.fullmatch(value)):
        return value
    if kind == "JSON" or is_nested(kind):
        return _NOT_ASCII.sub(_spelled, _only_json(value))
    return json.dumps(value)


def _only_json(text: str) -> str:
    """A nested value, without the numbers that JSON does not know."""
    if not _NOT_JSON.search(text):
        return text
    known = json.loads(text, parse_constant=str)
    return json.dumps(known)


def _spelled(character: re.Match[str]) -> str:
    return json.dumps(character[0])[1:-1] if character[0] != "\x7f" else "\\u007f"
