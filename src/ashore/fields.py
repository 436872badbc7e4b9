"""In which fields two records differ. Pure."""

from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from ashore.drift import DEEPEST, Path
from ashore.exact import is_precise, text_of

ABSENT = object()
"""Stands for a field that is not there, which is not the same as null."""


def differing(earlier: Any, later: Any, path: Path = ()) -> Iterator[tuple[Path, Any, Any]]:  # noqa: ANN401 - any JSON value
    """Yield each field in which two values differ, as far within as can be told, with both values.

    Lists of the same length are compared position by position, others as a whole. The values are
    those of ``exact.value_of``.
    """
    if len(path) >= DEEPEST:
        if not _same(earlier, later):
            yield path, earlier, later
    elif _is_object(earlier) and _is_object(later):
        for name in sorted({*earlier, *later}):
            first, second = earlier.get(name, ABSENT), later.get(name, ABSENT)
            yield from differing(first, second, (*path, name))
    elif isinstance(earlier, list) and isinstance(later, list) and len(earlier) == len(later):
        for position, (first, second) in enumerate(zip_longest(earlier, later)):
            yield from differing(first, second, (*path, position))
    elif not _same(earlier, later):
        yield path, earlier, later


def _is_object(value: object) -> bool:
    return isinstance(value, dict) and not is_precise(value)


def _same(earlier: object, later: object) -> bool:
    if type(earlier) is not type(later):
        # Not even 1 and true, which Python takes for equal.
        return False
    if isinstance(earlier, str | int | None):
        return earlier == later
    return earlier is later or text_of(earlier) == text_of(later)
