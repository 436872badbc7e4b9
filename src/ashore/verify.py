"""Read a landed day back, and hold it against its receipts, and the listing against both."""

import contextlib
import datetime as dt
import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice

from ashore.dates import parse_date
from ashore.errors import Violated
from ashore.manifest import Manifest, Reference, days, is_sealed, read_manifest
from ashore.naming import Day, is_nobodys, is_within
from ashore.spool import Spool
from ashore.store import Store

WORKERS = 8
_PROBLEMS_TOLD = 1_000
_WINDOW = 16
_LONGEST_LINE = 2**22


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
    executor = ThreadPoolExecutor(WORKERS)
    try:
        return [
            _judged(store, day, executor, tell)
            for name in names
            for day in _chosen(store, name, stated, wanted, every_day=every_day)
        ]
    finally:
        # Not waited for: a read that hangs must not hold whoever interrupts.
        executor.shutdown(wait=False, cancel_futures=True)


def _chosen(
    store: Store, name: str, stated: list[Day], wanted: dt.date | None, *, every_day: bool
) -> list[Day]:
    """The days of a source to verify, the earliest first."""
    if wanted is not None:
        return [Day(name, wanted)]
    own = [day for day in stated if day.source == name]
    complete = (day for day in own if store.read(day.manifest) is not None)
    # Where no day is complete, the latest one says so, and other sources are read all the same.
    chosen = list(complete if every_day else islice(complete, 1)) or own[:1]
    if not chosen:
        raise Violated(f"{store.root}: no day of {name} has landed here")
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
        raise Violated(f"{day.manifest}: it is missing; without it the day is not complete")
    with contextlib.closing(Spool()) as receipts:
        problems = _Problems(_stated(store, day, manifest, receipts))
        objects = size = 0
        for expected, problem in _read_all(store, receipts, executor):
            objects, size = objects + 1, size + expected.size
            tell(objects, manifest.objects)
            problems.add(problem)
    if (objects, size) != (manifest.objects, manifest.bytes):
        stated = f"{manifest.objects} objects of {manifest.bytes} bytes"
        problems.add(f"{day.manifest}: states {stated}, receipts say {objects} of {size}")
    return Verdict(day, objects, size, tuple(problems.told))


def foreign(store: Store, day: Day, manifest: Manifest) -> list[str]:
    """Return a line for each object in a day that no receipt of its manifest explains."""
    with contextlib.closing(Spool()) as receipts:
        damaged = _receipts(store, day, manifest, receipts)
        return _Problems(chain(damaged, _listing(store, day, manifest, receipts))).told


class _Problems:
    """What does not hold: the first lines of it, however much it is."""

    def __init__(self, found: Iterable[str]) -> None:
        self.told = list(islice(found, _PROBLEMS_TOLD))
        # What finds them does more than that: the receipts have to be taken in to their end.
        deque(found, maxlen=0)

    def add(self, problem: str | None) -> None:
        if problem is not None and len(self.told) < _PROBLEMS_TOLD:
            self.told.append(problem)


def _stated(store: Store, day: Day, manifest: Manifest, receipts: Spool) -> Iterator[str]:
    """What of a day's statements, and of its listing, does not hold; take the receipts in."""
    if not is_sealed(store.read(day.manifest) or b""):
        yield f"{day.manifest}: it is not as it was written (manifest_sha256 is another)"
    references = (manifest.receipts, manifest.sums)
    differ = [_twice(partial(_differs, store, day, each)) for each in references]
    yield from filter(None, differ)
    yield from _receipts(store, day, manifest, receipts)
    # Where the receipts themselves are damaged, nothing is to be moved away on their word.
    yield from _listing(store, day, manifest, receipts, advise=differ[0] is None)


def _differs(store: Store, day: Day, reference: Reference) -> str | None:
    if not is_within(reference.path, day.manifests):
        return f"{day.manifest}: names {reference.path}, which is not of this day"
    digest, size = hashlib.sha256(), 0
    for piece in store.stream(reference.path):
        digest.update(piece)
        size += len(piece)
    if digest.hexdigest() == reference.sha256:
        return None
    what = "its SHA-256 is not the one in the manifest" if size else "it is missing or empty"
    return f"{reference.path}: {what}"


def _receipts(store: Store, day: Day, manifest: Manifest, kept: Spool) -> Iterator[str]:
    """Keep what the receipts say of each path; yield what is wrong with them."""
    path = manifest.receipts.path
    if not is_within(path, day.manifests):
        return
    for number, line in enumerate(lines(store.stream(path)), start=1):
        try:
            expected = _expected(day, line)
        except (ArithmeticError, KeyError, RecursionError, TypeError, ValueError):
            yield f"{path}: line {number} is damaged"
        else:
            kept.put(expected.path, f"{expected.size} {expected.sha256}")


def _expected(day: Day, line: bytes) -> _Expected:
    receipt = json.loads(line)
    path, size, sha256 = str(receipt["path"]), int(receipt["bytes"]), str(receipt["sha256"])
    if not is_within(path, day.raw):
        raise ValueError("not of this day")
    return _Expected(path, size, sha256)


def lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the lines of what comes in pieces; one of many mebibytes is cut."""
    left = b""
    for piece in pieces:
        *whole, left = (left + piece).split(b"\n")
        yield from whole
        if len(left) > _LONGEST_LINE:
            yield left
            left = b""
    if left:
        yield left


def _listing(
    store: Store, day: Day, manifest: Manifest, receipts: Spool, *, advise: bool = True
) -> Iterator[str]:
    """Objects that nobody knows; those that are gone show when they are read."""
    known_missing = set(manifest.missing_objects)
    for entry in store.list(day.raw):
        if (
            not is_nobodys(entry.path, entry.size)
            and entry.path not in receipts
            and entry.path not in known_missing
        ):
            move = f". To move it away: {store.how_to_move(entry.path)}" if advise else ""
            yield f"{entry.path}: no receipt explains it{move}"


def _read_all(
    store: Store, receipts: Spool, executor: Executor
) -> Iterator[tuple[_Expected, str | None]]:
    """Read objects in parallel, a few at a time, each in pieces."""
    running = deque[tuple[_Expected, Future[str | None]]]()
    for path, text in receipts.items():
        size, _, sha256 = text.partition(" ")
        expected = _Expected(path, int(size), sha256)
        running.append((expected, executor.submit(_read, store, expected)))
        if len(running) >= _WINDOW:
            expected, future = running.popleft()
            yield expected, future.result()
    yield from ((expected, future.result()) for expected, future in running)


def _read(store: Store, expected: _Expected) -> str | None:
    return _twice(partial(_held, store, expected))


def _twice(look: Callable[[], str | None]) -> str | None:
    """What is wrong, also at a second look: it may be the way here that damages."""
    return look() and look()


def _held(store: Store, expected: _Expected) -> str | None:
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
