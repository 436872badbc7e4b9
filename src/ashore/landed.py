"""A landed day, read: its manifest, its objects in the order of their sets, their records."""

import hashlib
import json
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ashore.bodies import Where
from ashore.catalog import Expression
from ashore.errors import Violated
from ashore.manifest import Manifest, read_manifest
from ashore.naming import Day, is_within
from ashore.spool import open_temporary, room
from ashore.store import Store
from ashore.units import whole_number
from ashore.verify import lines

_PAGE = re.compile(r"page=(\d+)(?=\.json$|/)")
_COLUMNS = "path, size, sha256, records, url, status, fetched_at, duration_ms, attempts, adopted"


@dataclass(frozen=True, slots=True)
class LandedObject:
    """One object of a day, as its receipt has it; what a receipt does not say is None."""

    path: str
    """From the location's root."""
    bytes: int
    sha256: str
    records: int | None = None
    url: str | None = None
    status: int | None = None
    fetched_at: str | None = None
    duration_ms: int | None = None
    attempts: int | None = None
    adopted: bool = False

    @property
    def name(self) -> str:
        """The object's name in any day of its source: ``endpoint=countries/page=1.json``."""
        return self.path.split("/", 3)[3]

    def where(self, expression: Expression | None) -> Where:
        """Return where in it the records are, by the catalog's ``records``."""
        return Where(expression, self.path, may_be_none=self.records == 0)

    @property
    def order(self) -> str:
        """By what objects of an endpoint are sorted: their names, with page 2 before page 10."""
        return _PAGE.sub(lambda found: f"page={found[1]:0>20}", self.name)


@dataclass(frozen=True, slots=True)
class LandedDay:
    """A complete day. Its receipts lie in a temporary file: a million cost no memory."""

    day: Day
    manifest: Manifest
    endpoints: tuple[str, ...]
    """The names of those that the ledger or a receipt knows, in order."""
    _table: sqlite3.Connection = field(repr=False, compare=False)

    def receipts(self, endpoint: str) -> Iterator[LandedObject]:
        """Yield the objects of an endpoint in the order of its sets: page 2 before page 10."""
        last = ""
        query = (
            f"SELECT position, {_COLUMNS} FROM objects "  # noqa: S608 - names of ours
            "WHERE endpoint = ? AND position > ? ORDER BY position LIMIT 1000"
        )
        with room():
            while rows := self._table.execute(query, (endpoint, last)).fetchall():
                yield from map(_object, rows)
                last = rows[-1][0]

    def count(self, endpoint: str) -> int:
        """Return how many objects an endpoint has."""
        query = "SELECT count(*) FROM objects WHERE endpoint = ?"
        with room():
            return int(self._table.execute(query, (endpoint,)).fetchone()[0])

    def close(self) -> None:
        """Give the temporary file back; it goes with the day in any case."""
        self._table.close()


def read_day(store: Store, day: Day) -> LandedDay:
    """Read what is stated about a complete day: its manifest and receipts, no object.

    Raises:
        Violated: when no manifest stands, or it or the receipts are damaged.
        LocationUnusable: when the location cannot be read, or TMPDIR has no room.
    """
    manifest = read_manifest(store, day)
    if manifest is None:
        # Of a location that is not there, this tells.
        next(iter(store.folders("manifests/")), None)
        raise Violated(
            f"{store.root}/{day.manifest}: no manifest stands there; {day.source} {day.date} is "
            "not complete, and what lies there is no data; `ashore status` shows days that are"
        )
    table = open_temporary()
    with room():
        table.execute(
            "CREATE TABLE objects (endpoint TEXT, position TEXT, path TEXT, size INTEGER, "
            "sha256 TEXT, records, url TEXT, status, fetched_at TEXT, duration_ms, attempts, "
            "adopted, PRIMARY KEY (endpoint, position)) WITHOUT ROWID"
        )
        _fill(table, _receipts(store, day, manifest))
        found = table.execute("SELECT DISTINCT endpoint FROM objects").fetchall()
    endpoints = sorted({*manifest.ledger, *(name for (name,) in found)})
    return LandedDay(day, manifest, tuple(endpoints), table)


def _fill(table: sqlite3.Connection, receipts: Iterable[LandedObject]) -> None:
    marks = ", ".join("?" * 12)
    table.executemany(f"INSERT OR REPLACE INTO objects VALUES ({marks})", map(_row, receipts))  # noqa: S608 - no value


def _row(landed: LandedObject) -> tuple[object, ...]:
    endpoint = landed.name.partition("/")[0].removeprefix("endpoint=")
    return (
        endpoint,
        landed.order,
        landed.path,
        landed.bytes,
        landed.sha256,
        landed.records,
        landed.url,
        landed.status,
        landed.fetched_at,
        landed.duration_ms,
        landed.attempts,
        landed.adopted,
    )


def _object(row: tuple[Any, ...]) -> LandedObject:
    _, path, size, sha256, records, url, status, fetched_at, duration_ms, attempts, adopted = row
    return LandedObject(
        path,
        size,
        sha256,
        records=records,
        url=url,
        status=status,
        fetched_at=fetched_at,
        duration_ms=duration_ms,
        attempts=attempts,
        adopted=bool(adopted),
    )


def _receipts(store: Store, day: Day, manifest: Manifest) -> Iterator[LandedObject]:
    """What each line of the receipts says; all of them, or the manifest tells of others."""
    path = manifest.receipts.path
    if not is_within(path, day.manifests):
        raise Violated(f"{day.manifest}: names {path}, which is not of this day")
    digest = hashlib.sha256()
    for number, line in enumerate(lines(_digested(store.stream(path), digest)), start=1):
        try:
            yield _landed(day, json.loads(line))
        except (ArithmeticError, KeyError, RecursionError, TypeError, ValueError) as error:
            raise Violated(f"{path}: line {number} is damaged; restore it from a copy") from error
    if digest.hexdigest() != manifest.receipts.sha256:
        raise Violated(
            f"{path}: its SHA-256 is not the one in the manifest; restore it from a copy"
        )


def _digested(pieces: Iterator[bytes], digest: "hashlib._Hash") -> Iterator[bytes]:
    for piece in pieces:
        digest.update(piece)
        yield piece


def _landed(day: Day, line: Mapping[str, Any]) -> LandedObject:
    path, url = str(line["path"]), line.get("url")
    if not is_within(path, day.raw):
        raise ValueError("not of this day")
    return LandedObject(
        path,
        _count(line["bytes"]),
        str(line["sha256"]),
        records=_count_or_none(line.get("records")),
        url=None if url is None else _storable(url),
        status=_count_or_none(line.get("status")),
        fetched_at=_storable(line["fetched_at"]) if "fetched_at" in line else None,
        duration_ms=_count_or_none(line.get("duration_ms")),
        attempts=_count_or_none(line.get("attempts")),
        adopted=line.get("adopted") is True,
    )


def _storable(text: object) -> str:
    """The text, without halves of surrogate pairs, which a table takes for no text."""
    return str(text).encode("utf-8", "backslashreplace").decode()


def _count_or_none(value: object) -> int | None:
    return None if value is None else _count(value)


def _count(value: object) -> int:
    number = whole_number(value)
    if number is None or number not in range(2**63):
        raise ValueError("a count is no number")
    return number
