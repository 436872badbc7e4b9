"""The answers of the benchmark: each is made from its number, so that all can be told apart."""

from __future__ import annotations

import functools
import hashlib
import json

WIDTH = 7
FAULTY = "0000010"
"""The answer that is a page of HTML where that fault is asked for."""
# As the World Bank's API writes a record of the population.
_RECORD = (
    b'{"indicator":{"id":"SP.POP.TOTL","value":"Population, total"},'
    b'"country":{"id":"FR","value":"France"},"countryiso3code":"FRA","date":"%04d","value":%d,'
    b'"unit":"","obs_status":"","decimal":0}'
)


def answer(number: bytes, size: int) -> bytes:
    """Return the answer of a number, of so many bytes: one object with a list of records."""
    start, end = around(size)
    return start + number + end


@functools.lru_cache
def around(size: int) -> tuple[bytes, bytes]:
    """Return what stands before and after the number in an answer of so many bytes."""
    start, middle, end = b'{"id":"', b'","values":[', b'],"note":"%b"}'
    room = size - len(start) - WIDTH - len(middle) - len(end) + 2
    values = b",".join(_record(index) for index in range(room // (len(_record(0)) + 1)))
    return start, middle + values + end % (b"." * (room - len(values)))


@functools.lru_cache
def listing(count: int, *, short: bool = False) -> bytes:
    """Return the listing of so many numbers, on one page; a short one lacks the last of them."""
    items = [{"number": name} for name in names(count - short)]
    return json.dumps({"total": count, "items": items}).encode()


def names(count: int) -> list[str]:
    """Return the first so many numbers, as they are written."""
    return [f"{number:0{WIDTH}}" for number in range(count)]


def digests(count: int, size: int) -> set[str]:
    """Return the MD5 of the listing and of every answer that it names: the ETags of S3."""
    bodies = (answer(name.encode(), size) for name in names(count))
    return {md5(body) for body in (listing(count), *bodies)}


def md5(body: bytes) -> str:
    """Return the MD5 of a body, which here is no more than a name for it."""
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def _record(index: int) -> bytes:
    year, value = index % 10_000, 1_000_000 + index * 7919 % 9_000_000
    return _RECORD % (year, value)
