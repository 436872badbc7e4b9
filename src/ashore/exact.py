"""JSON with its numbers exact, and one text for each value: 1, 1.0 and 1e0 are the same number."""

import json
import re
import secrets
import sys
from decimal import Decimal
from functools import lru_cache
from typing import Any, Self

_LITERAL = re.compile(r"(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?", re.ASCII)
_LONGEST_EXPONENT = 15
_MOST_DIGITS = sys.get_int_max_str_digits() or 4300
"""Python refuses to read longer integers."""
_DOUBLE_DIGITS, _DOUBLE_EXPONENT = 15, 290
"""What of a decimal number a double gives back as it was: IEEE 754 keeps 15 digits."""
_QUICK = 16
_PLAIN = (-100, -5)
"""What is written without an exponent: the least exponent, and the least order of magnitude."""
_MARK = f"\0{secrets.token_hex(16)}"
"""Stands in a text for a number that no double holds; no API can know it."""


class Whole(int):
    """A whole number that was written with a fraction or an exponent, as 1.0 is."""

    __slots__ = ()


class Precise(Decimal):
    """A number that no double holds; ``text`` is the shortest way to write it."""

    text: str

    def __new__(cls, text: str) -> Self:
        """Return the number that is written so; one out of all range compares as infinite."""
        try:
            number = super().__new__(cls, text)
        except ArithmeticError:
            number = super().__new__(cls, "-Infinity" if text.startswith("-") else "Infinity")
        number.text = text
        return number


# JMESPath's functions know the types of their arguments by name.
Whole.__name__ = "int"
Precise.__name__ = "float"

_TYPES: dict[type, str] = {
    type(None): "null",
    bool: "boolean",
    int: "integer",
    Whole: "number",
    float: "number",
    Precise: "number",
    str: "string",
    list: "array",
    dict: "object",
}


def json_type(kind: type) -> str:
    """Return the name of the JSON type that a parsed value's type stands for.

    1 is an integer and 1.0 a number, although they are equal: readers make columns of the type.
    """
    return _TYPES[kind]


def _number(literal: str) -> int | float | Decimal:
    if len(literal) <= _QUICK and "e" not in literal and "E" not in literal:
        number = float(literal)
        if number % 1:
            return number
    return _careful(literal)


@lru_cache(4096)
def _careful(literal: str) -> int | float | Decimal:
    """The number that a literal means: one type and one text for each value."""
    found = _LITERAL.fullmatch(literal)
    if found is None:  # pragma: no cover - the scanner lets nothing else through
        raise ValueError(f"{literal} is no number")
    sign, whole, fraction, written = found.groups(default="")
    digits = (whole + fraction).lstrip("0")
    if not digits:
        return Whole(0)
    if len(written) > _LONGEST_EXPONENT:
        return Precise(f"{sign}{digits}e{written}")
    exponent = int(written or "0") - len(fraction)
    shortest = digits.rstrip("0")
    exponent += len(digits) - len(shortest)
    if exponent >= 0 and len(shortest) + exponent <= _MOST_DIGITS:
        return Whole(sign + shortest + "0" * exponent)
    magnitude = exponent + len(shortest)
    if len(shortest) <= _DOUBLE_DIGITS and abs(magnitude) < _DOUBLE_EXPONENT and exponent < 0:
        return float(f"{sign}{shortest}e{exponent}")
    if _PLAIN[0] < exponent < 0 < magnitude:
        return Precise(f"{sign}{shortest[:exponent]}.{shortest[exponent:]}")
    if _PLAIN[0] < exponent < 0 and _PLAIN[1] < magnitude:
        return Precise(f"{sign}0.{shortest:0>{-exponent}}")
    return Precise(f"{sign}{shortest}e{exponent}")


def _integer(text: str) -> int | Decimal:
    if len(text.removeprefix("-")) <= _MOST_DIGITS:
        return int(text)
    number = _careful(text)
    return number if isinstance(number, Decimal) else int(number)


quick = json.JSONDecoder(parse_float=_number)
"""Reads JSON, but for integers that Python refuses as too long: those raise ValueError."""
patient = json.JSONDecoder(parse_float=_number, parse_int=_integer)
"""Reads integers of any length, more slowly."""


def _marked(value: object) -> dict[str, str]:
    if isinstance(value, Precise):
        return {_MARK: value.text}
    raise TypeError(f"{type(value).__name__} is no JSON value")


text_of = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=_marked, check_circular=False
).encode
"""Returns the text of a parsed value: equal values have the same one, others have another.

Numbers are equal by what they mean, objects whatever the order of their names; NaN equals NaN.
"""

_MARKED = re.compile(rf'\{{"\\u0000{_MARK[1:]}":"([^"]*)"\}}')


def shown(text: str) -> str:
    """Return such a text as JSON that people read: all numbers as numbers."""
    return _MARKED.sub(r"\1", text)


def value_of(text: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value of such a text, in which a number that no double holds is an object."""
    return quick.decode(text)


def is_precise(value: dict[str, Any]) -> bool:
    """Tell whether an object is what stands in a text for a number."""
    return _MARK in value
