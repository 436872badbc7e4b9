"""Answers of the World Bank: recorded ones, and others cut from them when they are asked for.

The data lie in ``recorded/world_bank`` with their licence and attribution. Records and rows are
kept as the bytes that the API writes: a cut answer differs from a recorded one in its header only.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from functools import cache
from importlib.resources import files
from itertools import groupby
from typing import Any

from ashore.standin_http import Answer, BadParameterError, Request, json_bytes

EDITIONS = {
    "2024-04": "countries_per400_2024-04.json",
    "2025-01": "countries_per400_2025-01.rebuilt.json",
}
"""The editions of the list of countries, the earliest first."""

_POPULATION = "population_all_mrv10_per3000_2026-02.rebuilt.json"
_INDICATOR = "SP.POP.TOTL"
_XML = "\ufeff<?xml version='1.0'?><error>only format=json is recorded here</error>".encode()


@dataclass(frozen=True, slots=True)
class _List:
    """The list of one edition: each record as the API writes it, by its id."""

    header: Mapping[str, Any]
    records: Mapping[str, bytes]
    by_code: Mapping[str, str]  # two-letter or three-letter code to id
    two_letters: Mapping[str, str]  # id to two-letter code


@dataclass(frozen=True, slots=True)
class _Table:
    """The rows of an indicator, newest year first, by the two-letter code of the economy."""

    header: Mapping[str, Any]
    rows: Mapping[str, tuple[bytes, ...]]


def envelope() -> bytes:
    """Return the error that the API sends with HTTP 200 when a value is not known."""
    return _recorded("error_120_2021-06.json")


def answer(request: Request, path: tuple[str, ...], edition: str) -> Answer:
    """Return what the API says to a path below ``v2``, given its decoded segments."""
    if request.params.get("format") != "json":
        return Answer(_XML, media="text/xml")
    try:
        body = _body(request, path, _countries(edition))
    except (BadParameterError, KeyError):
        body = envelope()
    kept = ("Cache-Control", "public, must-revalidate, max-age=2592000")
    # The API's Last-Modified is the time of the answer, whatever the age of the data.
    return Answer(body, headers=(kept, ("Last-Modified", formatdate(usegmt=True))))


def _body(request: Request, path: tuple[str, ...], countries: _List) -> bytes:
    match path:
        case ("country" | "countries",) | ("country" | "countries", "all"):
            return _page(request, countries.header, countries.records.values())
        case ("country" | "countries", codes):
            chosen = (countries.records[one] for one in _ids(codes, countries))
            return _page(request, countries.header, chosen)
        case ("country" | "countries", codes, "indicator" | "indicators", name) if (
            name == _INDICATOR
        ):
            return _data(request, codes, countries)
    raise KeyError(path)


def _ids(codes: str, countries: _List) -> list[str]:
    return [countries.by_code[code.upper()] for code in codes.split(";")]


def _data(request: Request, codes: str, countries: _List) -> bytes:
    table = _population()
    newest = request.number("mrv", 1000)
    chosen: Iterable[str] = table.rows
    if codes != "all":
        chosen = [countries.two_letters[one] for one in _ids(codes, countries)]
    rows = [row for one in chosen for row in table.rows.get(one, ())[:newest]]
    return _page(request, table.header, rows) if rows else _recorded("null_rows.json")


def _page(request: Request, header: Mapping[str, Any], records: Iterable[bytes]) -> bytes:
    everything = tuple(records)
    page, size = request.number("page", 1), request.number("per_page", 50)
    counted = {
        "page": page,
        "pages": -(-len(everything) // size),
        # The list writes its size as text, data as a number.
        "per_page": type(header["per_page"])(size),
        "total": len(everything),
    }
    rows = b",".join(everything[(page - 1) * size : page * size])
    return b"[" + json_bytes({**header, **counted}) + b",[" + rows + b"]]"


@cache
def _recorded(name: str) -> bytes:
    return (files("ashore") / "recorded" / "world_bank" / name).read_bytes()


@cache
def _countries(edition: str) -> _List:
    header, records = json.loads(_recorded(EDITIONS[edition]))
    two_letters = {record["id"]: record["iso2Code"] for record in records}
    by_code = {code: one for one, code in two_letters.items()} | {one: one for one in two_letters}
    written = {record["id"]: json_bytes(record) for record in records}
    return _List(header, written, by_code, two_letters)


@cache
def _population() -> _Table:
    header, rows = json.loads(_recorded(_POPULATION))
    groups = groupby(rows, key=lambda row: row["country"]["id"])
    return _Table(header, {code: tuple(map(json_bytes, group)) for code, group in groups})
