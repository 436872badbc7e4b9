"""The SQL by which records are shown as views; whatever an API calls a field, it stays a name."""

import json
from collections.abc import Sequence

from ashore.columns import Column, without_halves


def quoted(name: str) -> str:
    """Return a name as SQL takes it, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def place_type(position: int) -> str:
    """Return the type of a column that tells a place: the extraction date comes first."""
    return "VARCHAR" if position else "DATE"


def _literal(text: str) -> str:
    """A text as SQL takes it, whatever is in it."""
    pieces = ["'" + piece.replace("'", "''") + "'" for piece in text.split("\0")]
    return " || chr(0) || ".join(pieces)


def view_sql(table: str, names: Sequence[str], shown: Sequence[Column]) -> str:
    """Return the SELECT of a view: the place, and what the records hold."""
    together = {c.field: c.structure for c in shown if c.field is not None and not c.apart}
    whole = json.dumps(together) if together else json.dumps(shown[0].structure)
    places = [f"p{i} AS {quoted(name)}" for i, name in enumerate(names)]
    held = [f"{_expression(column)} AS {quoted(column.name)}" for column in shown]
    inner = f"SELECT *, json_transform(record, {_literal(whole)}) AS held FROM {table}"  # noqa: S608
    return f"SELECT {', '.join([*places, *held])} FROM ({inner})"  # noqa: S608 - all quoted


def _expression(column: Column) -> str:
    if column.field is None:
        return "held"
    if not column.apart:
        return f"held.{quoted(column.field)}"
    pointer = "/" + without_halves(column.field).replace("~", "~0").replace("/", "~1")
    found = f"json_extract(record, {_literal(pointer)})"
    return f"json_transform({found}, {_literal(json.dumps(column.structure))})"


def text_sql(name: str, kind: str) -> str:
    """Return what makes text of a value of a result, exactly; JSON of nested ones."""
    value = quoted(name)
    return f"to_json({value})::VARCHAR" if is_nested(kind) else f"{value}::VARCHAR"


def is_nested(kind: str) -> bool:
    """Tell whether a type of DuckDB is that of lists, objects or maps."""
    return kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "UNION"))
