"""Read a landed day back, and hold it against its receipts, and the listing against both."""

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice

from ashore.dates import parse_date
from ashore.errors import Violated
from ashore.manifest import Manifest, Reference, days, read_manifest
from ashore.naming import Day, is_nobodys
from ashore.spool import Spool
from ashore.store import Store

WORKERS = 8
_PROBLEMS_TOLD = 1_000
_WINDOW = 16


@dataclass(frozen=True, slots=True)
class Verdict:
    """What reading a day back showed."""

    day: Day
    objects: int
    bytes: int
    problems: tuple[str, ...]
    """One line for each object that does not hold up, the first thousand of them."""

    @property
    def holds(self) -> bool:
        """Tell whether every byte of the day is what landed."""
        return not self.problems


@dataclass(frozen=True, slots=True)
class _Expected:
    path: str
    size: int
    sha256: str


def verify(
    store: Store,
    sources: Sequence[str],
    date: str | None,
    *,
    every_day: bool,
    tell: Callable[[int, int], None],
) -> list[Verdict]:
    """Read days back: the last complete one of each source, that of a date, or every one.

    Raises:
        Violated: when there is nothing to verify.
        LocationUnusable: when the location is not there.
    """
    wanted = parse_date(date, "--date") if date is not None else None
    stated = list(days(store))
    names = list(dict.fromkeys(sources)) or sorted({day.source for day in stated})
    if not names:
        raise Violated(f"{store.root}: no day of any source has landed here")
    with ThreadPoolExecutor(WORKERS) as executor:
        return [
            _judged(store, day, executor, tell)
            for name in names
            for day in _chosen(store, name, stated, wanted, every_day=every_day)
        ]


def _chosen(
    store: Store, name: str, stated: list[Day], wanted: dt.date | None, *, every_day: bool
) -> list[Day]:
    """The days of a source to verify, the earliest first."""
    if wanted is not None:
        return [Day(name, wanted)]
    complete = (
        day for day in stated if day.source == name and store.read(day.manifest) is not None
    )
    chosen = list(complete if every_day else islice(complete, 1))
    if not chosen:
        raise Violated(f"{store.root}: no day of {name} is complete here")
    return chosen[::-1]


def _judged(
    store: Store, day: Day, executor: Executor, tell: Callable[[int, int], None]
) -> Verdict:
    try:
        return verify_day(store, day, executor, tell)
    except Violated as violated:
        return Verdict(day, 0, 0, (str(violated),))


def verify_day(
    store: Store, day: Day, executor: Executor, tell: Callable[[int, int], None]
) -> Verdict:
    """Read every object of a complete day back; ``tell`` hears objects done, and of how many.

    Raises:
        Violated: when the day has no manifest, or a damaged one.
    """
    manifest = read_manifest(store, day)
    if manifest is None:
        raise Violated(f"{day.source} {day.date}: there is no manifest; the day is not complete")
    problems = [*_references(store, manifest)]
    receipts, found = _receipts(store, manifest)
    problems += found
    problems += _listing(store, day, manifest, receipts)
    objects = size = 0
    for expected, problem in _read_all(store, receipts, executor):
        objects, size = objects + 1, size + expected.size
        tell(objects, manifest.objects)
        problems += [problem] if problem else []
    if (objects, size) != (manifest.objects, manifest.bytes):
        stated = f"{manifest.objects} objects of {manifest.bytes} bytes"
        problems.append(f"{day.manifest}: states {stated}, receipts say {objects} of {size}")
    receipts.close()
    return Verdict(day, objects, size, tuple(problems[:_PROBLEMS_TOLD]))


def foreign(store: Store, day: Day, manifest: Manifest) -> list[str]:
    """Return a line for each object in a day that no receipt of its manifest explains."""
    receipts, problems = _receipts(store, manifest)
    problems += _listing(store, day, manifest, receipts)
    receipts.close()
    return problems


def _references(store: Store, manifest: Manifest) -> Iterator[str]:
    """The files that the manifest names must be those that it states."""
    for reference in (manifest.receipts, manifest.sums):
        problem = _differs(store, reference)
        if problem:
            yield problem


def _differs(store: Store, reference: Reference) -> str | None:
    digest, size = hashlib.sha256(), 0
    for piece in store.stream(reference.path):
        digest.update(piece)
        size += len(piece)
    if digest.hexdigest() == reference.sha256:
        return None
    what = "its SHA-256 is not the one in the manifest" if size else "it is missing or empty"
    return f"{reference.path}: {what}"


def _receipts(store: Store, manifest: Manifest) -> tuple[Spool, list[str]]:
    """The receipts by path, and what is wrong with them."""
    receipts, problems = Spool(), []
    for number, line in enumerate(_lines(store.stream(manifest.receipts.path)), start=1):
        try:
            receipt = json.loads(line)
            path, size, sha256 = receipt["path"], int(receipt["bytes"]), str(receipt["sha256"])
            receipts.put(str(path), [size, sha256])
        except (ValueError, KeyError, TypeError):
            problems.append(f"{manifest.receipts.path}: line {number} is damaged")
    return receipts, problems[:_PROBLEMS_TOLD]


def _lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    left = b""
    for piece in pieces:
        *whole, left = (left + piece).split(b"\n")
        yield from whole
    if left:
        yield left


def _listing(store: Store, day: Day, manifest: Manifest, receipts: Spool) -> list[str]:
    """Objects that nobody knows; those that are gone show when they are read."""
    known_missing = set(manifest.missing_objects)
    return [
        f"{entry.path}: no receipt explains it. {store.how_to_move(entry.path)}"
        for entry in store.list(day.raw)
        if not is_nobodys(entry.path, entry.size)
        and entry.path not in receipts
        and entry.path not in known_missing
    ][:_PROBLEMS_TOLD]


def _read_all(
    store: Store, receipts: Spool, executor: Executor
) -> Iterator[tuple[_Expected, str | None]]:
    """Read objects in parallel, a few at a time, each in pieces."""
    todo = (_Expected(path, size, sha256) for path, (size, sha256) in receipts.items())
    running: dict[Future[str | None], _Expected] = {
        executor.submit(_read, store, expected): expected for expected in islice(todo, _WINDOW)
    }
    while running:
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            yield running.pop(future), future.result()
            for expected in islice(todo, 1):
                running[executor.submit(_read, store, expected)] = expected


def _read(store: Store, expected: _Expected) -> str | None:
    digest, size, found = hashlib.sha256(), 0, False
    for piece in store.stream(expected.path):
        found = True
        digest.update(piece)
        size += len(piece)
    if digest.hexdigest() == expected.sha256 and size == expected.size:
        return None
    if not found:
        return f"{expected.path}: it is missing or empty"
    if size != expected.size:
        return f"{expected.path}: {size} bytes, {expected.size} landed"
    return f"{expected.path}: its bytes are not those that landed (SHA-256 differs)"
