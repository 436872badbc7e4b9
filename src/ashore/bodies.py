"""The records in the body of an answer, one after the other. Pure: bytes in, values out."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from ashore import exact
from ashore.catalog import Expression
from ashore.errors import Violated

_LARGE = 2**22
"""Bytes from which a body is not turned into values as a whole, which takes ten times as many."""
_BLANK = re.compile(r"[ \t\n\r]*", re.ASCII)
_DAMAGED = "is no JSON, though it landed as such"
Steps = tuple[str | int, ...]
"""A way into a document: names of objects, positions in lists."""


def records_in(
    body: bytes, expression: Expression | None, path: str, *, may_be_none: bool = False
) -> Iterator[Any]:
    """Yield a body's records, as the catalog's ``records`` finds them; numbers are exact.

    ``may_be_none`` tells that the body landed with no records, so that finding no list is right.

    Raises:
        Violated: when the body is no JSON, or no list of records is found in it.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Violated(f"{path}: {_DAMAGED} (byte {error.start} is not UTF-8)") from error
    steps = () if expression is None else steps_of(expression)
    large = len(body) > _LARGE
    del body
    try:
        if large and steps is not None:
            found = _one_by_one(text, steps)
            if found is not None:
                yield from found
                return
        yield from _all_at_once(text, expression, path, may_be_none=may_be_none)
    except RecursionError as error:
        raise Violated(f"{path}: it is nested too deep to be read") from error
    except ValueError as error:
        raise Violated(f"{path}: {_DAMAGED} ({error})") from error


def steps_of(expression: Expression) -> Steps | None:
    """Return the steps of an expression that is nothing but names and positions, or None."""
    return _steps(expression.compiled.parsed)


def _steps(node: Any) -> Steps | None:  # noqa: ANN401 - a node of JMESPath's tree
    kind, below = node["type"], node["children"]
    if kind in {"identity", "current"}:
        return ()
    if kind == "field" or (kind == "index" and node["value"] >= 0):
        return (node["value"],)
    if kind not in {"subexpression", "index_expression"}:
        return None
    steps: Steps = ()
    for child in below:
        more = _steps(child)
        if more is None:
            return None
        steps += more
    return steps


def finder(expression: Expression) -> Callable[[Any], Any]:
    """Return what finds an expression's value in a document; quick where it is a mere path.

    Raises:
        Violated: as the expression itself would.
    """
    steps = steps_of(expression)
    return expression.find if steps is None else lambda document: _follow(document, steps)


def _follow(document: Any, steps: Steps) -> Any:  # noqa: ANN401 - any JSON value
    for step in steps:
        if isinstance(step, str):
            document = document.get(step) if isinstance(document, dict) else None
        elif isinstance(document, list) and step < len(document):
            document = document[step]
        else:
            return None
    return document


def _all_at_once(
    text: str, expression: Expression | None, path: str, *, may_be_none: bool
) -> Iterator[Any]:
    document = _parse(text)
    if expression is None:
        yield from document if isinstance(document, list) else [document]
        return
    found = expression.find(document)
    if isinstance(found, list):
        yield from found
    elif not may_be_none:
        raise Violated(
            f"{path}: records = {expression} finds no list in it; it landed under another "
            "declaration: give that one's catalog (--catalog)"
        )


def _parse(text: str) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return exact.quick.decode(text)
    except ValueError:
        # An integer of thousands of digits, or truly no JSON, which this one says again.
        return exact.patient.decode(text)


# --- a large body, without all of it as values


def _one_by_one(text: str, steps: Steps) -> Iterator[Any] | None:
    """The elements of the list at the end of the steps, each read when it is asked for.

    None where no list is there.
    """
    start = _find(text, _skip_blanks(text, 0), steps)
    if start is None or text[start] != "[":
        return None
    return _elements(text, start)


def _find(text: str, start: int, steps: Steps) -> int | None:
    """Where the value at the end of the steps begins; of a name that repeats, the last counts."""
    if not steps:
        return start
    step, found = steps[0], None
    if text[start] == "[" and isinstance(step, int):
        for number, place in enumerate(_places(text, start, len(steps) - 1)):
            if number == step:
                # What follows cannot contradict, and is not looked at.
                return _find(text, place, steps[1:])
    elif text[start] == "{" and isinstance(step, str):
        for name, place, _ in _members(text, start, len(steps)):
            found = place if name == step else found
    return None if found is None else _find(text, found, steps[1:])


def _places(text: str, start: int, depth: int) -> Iterator[int]:
    """Where each element of a list begins."""
    position = _skip_blanks(text, start + 1)
    while text[position : position + 1] != "]":
        yield position
        position = _next(text, _skip(text, position, depth), "]")


def _members(text: str, start: int, depth: int) -> Iterator[tuple[str, int, int]]:
    """The names in an object, where the value of each begins, and where the next thing does."""
    position = _skip_blanks(text, start + 1)
    while text[position : position + 1] != "}":
        name, position = _scan(text, position)
        position = _skip_blanks(text, position)
        if text[position : position + 1] != ":" or not isinstance(name, str):
            raise ValueError(f"character {position}")
        place = _skip_blanks(text, position + 1)
        position = _next(text, _skip(text, place, depth), "}")
        yield name, place, position


def _elements(text: str, start: int) -> Iterator[Any]:
    """The elements of a list."""
    position = _skip_blanks(text, start + 1)
    while text[position : position + 1] != "]":
        value, position = _scan(text, position)
        yield value
        position = _next(text, position, "]")


def _skip(text: str, start: int, depth: int) -> int:
    """Where a value ends; down to a depth, only one part of it is held as a value at a time."""
    if depth < 1 or text[start : start + 1] not in {"[", "{"}:
        return _scan(text, start)[1]
    position = _skip_blanks(text, start + 1)
    if text[start] == "[":
        while text[position : position + 1] != "]":
            position = _next(text, _skip(text, position, depth - 1), "]")
    else:
        for _, _, position in _members(text, start, depth - 1):  # noqa: B007 - the last one
            pass
    return position + 1


def _next(text: str, position: int, closing: str) -> int:
    """Where the next element begins, or where the closing bracket stands."""
    position = _skip_blanks(text, position)
    mark = text[position : position + 1]
    if mark == ",":
        return _skip_blanks(text, position + 1)
    if mark != closing:
        raise ValueError(f"character {position}")
    return position


def _scan(text: str, position: int) -> tuple[Any, int]:
    try:
        return exact.quick.raw_decode(text, position)
    except ValueError:
        return exact.patient.raw_decode(text, position)


def _skip_blanks(text: str, position: int) -> int:
    found = _BLANK.match(text, position)
    return found.end() if found else position
