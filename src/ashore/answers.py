"""What an answer is worth: acceptable, worth another try, or final. Pure: bytes in, verdict out."""

import contextlib
import hashlib
import json
import math
import re
import threading
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Self

from pydantic_core import from_json

from ashore.catalog import Cursor, Endpoint, Expression, ForEach, PageNumbers, Source
from ashore.errors import Violated
from ashore.units import whole_number

_LONGEST_INTEGER = 4000  # Python refuses to read integers of more than 4,300 digits
_LARGE = 2**20
_MINUS_ZERO = re.compile(rb"-0(?<=[\[,:\s]-0)[\],}\s]")  # what it begins with is found the fastest
_parsing = threading.Lock()
_IF_CHANGED = "if the API has changed, mend the catalog, else run again"
_REDIRECTS = {301, 302, 303, 307, 308}
_ALWAYS_AGAIN = {408, 425, 429}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: a complete answer, or ``problem`` says why there is none."""

    status: int | None = None
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    link: str | None = None
    problem: str | None = None
    too_large: bool = False
    damaged: bool = False
    """The body arrived, and is not what its headers say: the source can be reached."""


@dataclass(frozen=True, slots=True)
class Page:
    """What one acceptable body says: small, so that it can be kept while the body waits on disk."""

    records: int
    total: int | None = None
    pages: int | None = None
    following: str | None = None
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """For each endpoint that follows from this one: the values that it is asked for."""
    unfit: Mapping[str, str] = field(default_factory=dict)
    """For each endpoint that follows: why some values cannot be asked for."""
    keys: "array[int]" = field(default_factory=lambda: array("Q"), repr=False)
    """64 bits of a hash of each record's key, where the endpoint expects unique keys."""
    keyless: int = 0


class Worth(Enum):
    """What to do about an answer that is not acceptable."""

    AGAIN = "try again"
    FINAL = "this request is lost for good"
    SOURCE = "the whole source refuses"
    VIOLATED = "look at the data"
    ELSEWHERE = "follow the redirect"


@dataclass(frozen=True, slots=True)
class Refused:
    """Why an answer is not acceptable, and what to do about it."""

    worth: Worth
    reason: str
    status: int | None = None
    counts_for_breaker: bool = False


class NotJson(ValueError):
    """A body that is no JSON text (RFC 8259) in UTF-8."""


class ErrorAnswer(ValueError):
    """A body in which the source's ``error`` expression finds something."""


class _InexactError(Exception):
    """A number is needed as the JSON writes it, and was read without remembering that."""


class _ExactFloat(float):
    """A number that remembers how the JSON wrote it."""

    __slots__ = ("literal",)
    literal: str

    def __new__(cls, literal: str) -> Self:
        number = super().__new__(cls, literal)
        number.literal = literal
        return number


# JMESPath's functions know the types of their arguments by name.
_ExactFloat.__name__ = "float"


def judge(source: Source, endpoint: Endpoint, answer: Answer) -> Page | Refused:
    """Return what an answer's body says, or why it is not acceptable."""
    status = answer.status
    if status is not None and status != 200:
        return _judge_status(source, status, answer)
    if answer.too_large:
        return Refused(Worth.FINAL, answer.problem or "the body is too large", status)
    if status is None or answer.problem:
        lost = not answer.damaged
        return Refused(Worth.AGAIN, answer.problem or "no answer", counts_for_breaker=lost)
    try:
        return examine(source, endpoint, answer.body, answer.link)
    except NotJson as error:
        return Refused(Worth.AGAIN, str(error), status)
    except ErrorAnswer as error:
        return Refused(Worth.AGAIN if source.retry.errors else Worth.FINAL, str(error), status)
    except Violated as error:
        return Refused(Worth.VIOLATED, str(error), status)


def _judge_status(source: Source, status: int, answer: Answer) -> Refused:
    reason = f"HTTP {status}"
    server = status == 429 or 500 <= status <= 599
    if status in _REDIRECTS:
        return Refused(Worth.ELSEWHERE, f"{reason} to another place", status)
    if server or status in _ALWAYS_AGAIN:
        return Refused(Worth.AGAIN, reason, status, counts_for_breaker=server)
    if status != 401 and status in source.retry.statuses and not _is_json(answer.body):
        return Refused(Worth.AGAIN, f"{reason}, not JSON", status)
    if status in {401, 403}:
        return Refused(Worth.SOURCE, f"{reason}: the source refuses", status)
    return Refused(Worth.FINAL, reason, status)


def examine(source: Source, endpoint: Endpoint, body: bytes, link: str | None = None) -> Page:
    """Return what a body says by the endpoint's rules.

    Raises:
        NotJson: when it is no JSON.
        ErrorAnswer: when it is one of the source's error answers.
        Violated: when its shape is unknown: no records, no total, no number of pages.
    """
    try:
        exact = _is_asked_for_as_written(source, endpoint) and bool(_MINUS_ZERO.search(body))
        return _page(source, endpoint, parse(body, exact=exact), link, exact=exact)
    except _InexactError:
        return _page(source, endpoint, parse(body, exact=True), link, exact=True)


def _is_asked_for_as_written(source: Source, endpoint: Endpoint) -> bool:
    """Tell whether anything that such an answer holds becomes a part of a later request."""
    return bool(source.children(endpoint.name)) or isinstance(endpoint.paging, Cursor)


@contextlib.contextmanager
def one_at_a_time(body: bytes) -> Iterator[None]:
    """Let one large body be parsed at a time: as a document it takes many times its bytes."""
    with _parsing if len(body) > _LARGE else contextlib.nullcontext():
        yield


def _page(
    source: Source, endpoint: Endpoint, document: object, link: str | None, *, exact: bool
) -> Page:
    found = source.error.find(document) if source.error else None
    if _is_something(found):
        raise ErrorAnswer(f"an error answer: {json.dumps(found, default=str)}")
    total = _number(endpoint.total, document, "total") if endpoint.total else None
    records = _records(endpoint, document, total)
    selected = {
        child.name: _values(child.for_each, document, records, exact=exact)
        for child in source.children(endpoint.name)
        if child.for_each
    }
    keys, keyless = _keys(endpoint, records)
    paging = endpoint.paging
    return Page(
        records=len(records),
        total=total,
        pages=_number(paging.pages, document, "pages") if isinstance(paging, PageNumbers) else None,
        following=_token(paging, document, exact=exact) if isinstance(paging, Cursor) else link,
        values={name: values for name, (values, _) in selected.items()},
        unfit={name: problem for name, (_, problem) in selected.items() if problem},
        keys=keys,
        keyless=keyless,
    )


def parse(body: bytes, *, exact: bool = False) -> Any:  # noqa: ANN401 - any JSON value
    """Return a parsed copy of a body; the body itself is what lands.

    A byte order mark, NaN, repeated keys and integers of any length are let through. With
    ``exact``, numbers remember how they were written.

    Raises:
        NotJson: when the body is no JSON text in UTF-8, or nested too deep to be read.
    """
    if not exact:
        # Twice as fast; what it does not take, from a byte order mark on, is looked at again.
        with contextlib.suppress(ValueError):
            return from_json(body, cache_strings="keys")
    try:
        text = body.decode("utf-8-sig")
        numbers: dict[str, Any] = _EXACTLY if exact else {}
        try:
            return json.loads(text, **numbers)
        except json.JSONDecodeError:
            raise
        except ValueError:
            return json.loads(text, **{**numbers, "parse_int": _exact_integer})
    except UnicodeDecodeError as error:
        raise NotJson(f"the body is not UTF-8 (byte {error.start})") from error
    except json.JSONDecodeError as error:
        what = "the body is not JSON" if text.strip() else "the body is empty"
        raise NotJson(f"{what} (character {error.pos} of {len(text)})") from error
    except RecursionError as error:
        raise NotJson("the body is nested too deep to be read as JSON") from error


def _exact_integer(text: str) -> int | float:
    plain = len(text) <= _LONGEST_INTEGER and text != "-0"
    return int(text) if plain else _ExactFloat(text)


_EXACTLY = {"parse_float": _ExactFloat, "parse_int": _exact_integer}


def _is_json(body: bytes) -> bool:
    try:
        parse(body)
    except NotJson:
        return False
    return True


def _number(expression: Expression, document: object, what: str) -> int:
    found = expression.find(document)
    number = whole_number(found)
    if number is None:
        shown = json.dumps(found, default=str)
        raise Violated(
            f"unknown shape: {what} = {expression} finds {shown}, which is no number; {_IF_CHANGED}"
        )
    return number


def _is_something(found: object) -> bool:
    """Tell what JMESPath takes for true: 0 is, though Python takes it for false."""
    return not (found is None or found is False or found in ("", [], {}))


def _records(endpoint: Endpoint, document: object, total: int | None) -> list[Any]:
    if endpoint.records is None:
        return document if isinstance(document, list) else [document]
    found = endpoint.records.find(document)
    if isinstance(found, list):
        return found
    if total == 0:
        return []
    raise Violated(f"unknown shape: records = {endpoint.records} finds no list; {_IF_CHANGED}")


def _values(
    for_each: ForEach, document: object, records: list[Any], *, exact: bool
) -> tuple[tuple[str, ...], str]:
    """The values that select finds, and what is wrong with those that cannot be asked for."""
    found = for_each.select.find(document)
    if found is None and not records:
        return (), ""
    if not isinstance(found, list):
        return (), f"for_each.select = {for_each.select} finds no list"
    written = [_written(value, exact=exact) for value in found]
    pairs = zip(found, written, strict=True)
    unfit = [json.dumps(value, default=str)[:60] for value, text in pairs if text is None]
    problem = f"{len(unfit)} values cannot stand in a URL, the first is {unfit[0]}" if unfit else ""
    return tuple(text for text in written if text is not None), problem


def _written(value: object, *, exact: bool) -> str | None:
    """A value as the JSON writes it, or None where no request can be made of it.

    Where numbers remember how they were written, those that do not were worked out by an
    expression, or are none, as NaN is.
    """
    if isinstance(value, _ExactFloat):
        return value.literal
    if isinstance(value, float) and not exact:
        raise _InexactError
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    text = value if isinstance(value, str) else json.dumps(value)
    return None if text in {"", ".", ".."} or _is_torn(text) else text


def _is_torn(text: str) -> bool:
    """Tell whether a text holds half of a surrogate pair, which no UTF-8 can carry."""
    return any("\ud800" <= character <= "\udfff" for character in text)


def _token(paging: Cursor, document: object, *, exact: bool) -> str | None:
    found = paging.next.find(document)
    if found is None or found is False or found == "":
        return None
    token = _written(found, exact=exact) if isinstance(found, int | float) else found
    if not isinstance(token, str) or _is_torn(token):
        raise Violated(f"unknown shape: next = {paging.next} finds neither a token nor an end")
    return token


def _keys(endpoint: Endpoint, records: list[Any]) -> "tuple[array[int], int]":
    keys, keyless = array("Q"), 0
    if not endpoint.expect.unique_key or endpoint.key is None:
        return keys, keyless
    for record in records:
        values = [expression.find(record) for expression in endpoint.key]
        if any(value is None for value in values):
            keyless += 1
        else:
            keys.append(_hash(values))
    return keys, keyless


def _hash(values: list[Any]) -> int:
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
