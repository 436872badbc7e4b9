"""The records in the body of an answer, one after the other. Pure: bytes in, values out."""

import contextlib
import json
import re
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice, repeat
from typing import Any

from ashore import exact
from ashore.catalog import Expression
from ashore.errors import Violated
from ashore.exact import text_of

_LARGE = 2**22
"""Bytes from which a body is not turned into values as a whole, which takes ten times as many."""
_BLANK = re.compile(r"[ \t\n\r]*", re.ASCII)
_BETWEEN = re.compile(r"[ \t\n\r]*([,\]])[ \t\n\r]*", re.ASCII)
_DAMAGED = "is no JSON, though it landed as such"
Steps = tuple[str | int, ...]
"""A way into a document: names of objects, positions in lists."""


@dataclass(frozen=True, slots=True)
class Where:
    """Where records are: the catalog's ``records``, in which object."""

    expression: Expression | None
    """Without one, a list's elements are the records, or else the whole is one."""
    path: str
    may_be_none: bool = False
    """Whether the body landed with no records, so that finding no list is right."""


def records_in(body: bytes, where: Where) -> Iterator[Any]:
    """Yield a body's records; numbers are exact.

    Raises:
        Violated: when the body is no JSON, or no list of records is found in it.
    """
    steps = steps_of(where.expression) if len(body) > _LARGE else None
    text = _text(body, where.path)
    del body
    with _readable(where.path):
        for record, _ in _found(text, where, steps):
            yield record


def written_in(body: bytes, where: Where) -> Iterator[tuple[Any, str | None]]:
    """Yield a body's records, each with its text in the body, or None where that is not known.

    Two records of the same text are equal; those of different texts may be. See ``records_in``.
    """
    text = _text(body, where.path)
    with _readable(where.path):
        yield from _found(text, where, steps_of(where.expression))


def _text(body: bytes, path: str) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Violated(f"{path}: {_DAMAGED} (byte {error.start} is not UTF-8)") from error


@contextlib.contextmanager
def _readable(path: str) -> Iterator[None]:
    try:
        yield
    except RecursionError as error:
        raise Violated(f"{path}: it is nested too deep to be read") from error
    except json.JSONDecodeError as error:
        raise Violated(f"{path}: {_DAMAGED} ({error})") from error


def _found(text: str, where: Where, steps: Steps | None) -> Iterator[tuple[Any, str | None]]:
    elements = None if steps is None else _one_by_one(text, steps)
    return _all_at_once(text, where) if elements is None else elements


def steps_of(expression: Expression | None) -> Steps | None:
    """Return the steps of an expression that is nothing but names and positions, or None."""
    if expression is None:
        return ()
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


def _all_at_once(text: str, where: Where) -> Iterator[tuple[Any, None]]:
    document, expression = _parse(text), where.expression
    found = document if expression is None else expression.find(document)
    if isinstance(found, list):
        yield from zip(found, repeat(None), strict=False)
    elif expression is None:
        yield document, None
    elif not where.may_be_none:
        raise Violated(
            f"{where.path}: records = {expression} finds no list in it; it landed under another "
            "declaration: give that one's catalog (--catalog)"
        )


def _parse(text: str) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return exact.quick.decode(text)
    except ValueError:
        # An integer of thousands of digits, or truly no JSON, which this one says again.
        return exact.patient.decode(text)


# --- a large body, without all of it as values


def _one_by_one(text: str, steps: Steps) -> Iterator[tuple[Any, str]] | None:
    """The elements of the list at the end of the steps, each read when it is asked for.

    None where no list is there.
    """
    start = _find(text, _skip_blanks(text, 0), steps)
    if start is None or text[start : start + 1] != "[":
        return None
    return _elements(text, start)


def _elements(text: str, start: int) -> Iterator[tuple[Any, str]]:
    position = _skip_blanks(text, start + 1)
    ended = text[position : position + 1] == "]"
    while not ended:
        value, end = _scan(text, position)
        yield value, text[position:end]
        found = _BETWEEN.match(text, end)
        if found is None:
            raise json.JSONDecodeError("no end of a list", text, end)
        position, ended = found.end(), found[1] == "]"


def _find(text: str, start: int, steps: Steps) -> int | None:
    """Where the value at the end of the steps begins; of a name that repeats, the last counts."""
    if not steps:
        return start
    step, found = steps[0], None
    mark, depth = text[start : start + 1], len(steps) - 1
    if mark == "[" and isinstance(step, int):
        found = next(islice(_places(text, start, depth), step, None), None)
    elif mark == "{" and isinstance(step, str):
        once = "\\" not in text and text.count(text_of(step)) == 1
        for name, place in _members(text, start, depth + 1):
            if name == step:
                found = place
                if once:
                    break
    return None if found is None else _find(text, found, steps[1:])


def _places(text: str, start: int, depth: int) -> Iterator[int]:
    """Where each element of a list begins."""
    position = _skip_blanks(text, start + 1)
    while text[position : position + 1] != "]":
        yield position
        position = _next(text, _skip(text, position, depth), "]")


def _members(text: str, start: int, depth: int) -> Iterator[tuple[str | None, int]]:
    """The names in an object and where the value of each begins; last, None and where it ends."""
    position = _skip_blanks(text, start + 1)
    while text[position : position + 1] != "}":
        name, position = _scan(text, position)
        position = _skip_blanks(text, position)
        if text[position : position + 1] != ":" or not isinstance(name, str):
            raise json.JSONDecodeError("no name and value", text, position)
        place = _skip_blanks(text, position + 1)
        yield name, place
        position = _next(text, _skip(text, place, depth), "}")
    yield None, position


def _skip(text: str, start: int, depth: int) -> int:
    """Where a value ends; down to a depth, only one part of it is held as a value at a time."""
    mark = text[start : start + 1]
    if depth < 1 or mark not in {"[", "{"}:
        return _scan(text, start)[1]
    if mark == "{":
        ((_, end),) = deque(_members(text, start, depth - 1), maxlen=1)
        return end + 1
    position = _skip_blanks(text, start + 1)
    while text[position : position + 1] != "]":
        position = _next(text, _skip(text, position, depth - 1), "]")
    return position + 1


def _next(text: str, position: int, closing: str) -> int:
    """Where the next element begins, or where the closing bracket stands."""
    position = _skip_blanks(text, position)
    mark = text[position : position + 1]
    if mark == ",":
        return _skip_blanks(text, position + 1)
    if mark != closing:
        raise json.JSONDecodeError("no end of a list or an object", text, position)
    return position


def _scan(text: str, position: int) -> tuple[Any, int]:
    try:
        return exact.quick.raw_decode(text, position)
    except ValueError:
        return exact.patient.raw_decode(text, position)


def _skip_blanks(text: str, position: int) -> int:
    found = _BLANK.match(text, position)
    return found.end() if found else position
