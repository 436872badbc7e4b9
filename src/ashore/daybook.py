"""One day as a report shows it: its statement, its runs, its requests, and what failed."""

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from ashore.calendars import DayStatus
from ashore.catalog import Source
from ashore.comparison import Comparison
from ashore.errors import Violated
from ashore.manifest import (
    Attempt,
    Count,
    Manifest,
    Reference,
    is_sealed,
    read_attempts,
    read_manifest,
)
from ashore.naming import Day, is_within
from ashore.store import Store
from ashore.verify import lines
from ashore.waterfall import Requests, read_requests

_RUNS_TOLD = 8
_TOLD = 50


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


class Lost(_Told):
    """A set that did not land, and what came last."""

    object: str
    reason: str = ""
    attempts: Count = 0
    body: str = ""


class Failure(_Told):
    """What an attempt tells besides its ledger: what is lost, what is safe, what to do."""

    reason: str = ""
    safe: str = ""
    next: str = ""
    violations: list[str] = []
    failures: list[Lost] = []
    failures_untold: Count = 0
    receipts: Reference | None = None

    @property
    def untold(self) -> int:
        """How many failures are neither here nor anywhere else in the attempt."""
        return self.failures_untold + max(len(self.failures) - _TOLD, 0)

    @property
    def first(self) -> list[Lost]:
        """The first failures, few enough to be shown."""
        return self.failures[:_TOLD]


@dataclass(frozen=True, slots=True)
class Run:
    """A run of a day: ``complete``, an attempt's outcome, or None where it left no report."""

    run_id: str
    started_at: str
    outcome: str | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Detail:
    """One day in full."""

    status: DayStatus
    statement: Manifest | Attempt | None = None
    runs: tuple[Run, ...] = ()
    """The last runs, the latest first."""
    runs_untold: int = 0
    requests: Requests | None = None
    failure: Failure | None = None
    problems: tuple[str, ...] = ()
    """What of the day's statements does not hold, or cannot be read."""
    other_catalog: bool = False
    """Whether the day was extracted by another declaration of the source than today's."""
    change: Comparison | None = None
    """What changed since the day before."""
    uncompared: str = ""
    """Why it is not known what changed; empty where it is, or where nobody would ask."""


def read_detail(store: Store, status: DayStatus, source: Source | None, rows: int) -> Detail:
    """Read what a location says of one day; ``rows`` bounds the requests that are kept.

    Raises:
        LocationUnusable: when the location cannot be read.
    """
    try:
        return _read(store, status, source, rows)
    except Violated as violated:
        return Detail(status, problems=(str(violated),))


def _read(store: Store, status: DayStatus, source: Source | None, rows: int) -> Detail:
    day, problems = status.day, list[str]()
    manifest, attempts = read_manifest(store, day), read_attempts(store, day)
    attempt = next((found for _, found in reversed(attempts) if found), None)
    statement = manifest or attempt
    failure = _failure(store, day, attempt) if attempt and not manifest else None
    if manifest and not is_sealed(store.read(day.manifest) or b""):
        problems.append(f"{day.manifest}: it is not as it was written")
    receipts = manifest.receipts if manifest else failure and failure.receipts
    requests = None
    if statement and receipts:
        found = _Lines(store, day, receipts)
        rate = source.rate if source else None
        requests = read_requests(found, day.raw, statement.objects, rows, rate)
        problems += found.problems
    other = bool(statement and source and statement.source_sha256 != source.sha256)
    return Detail(
        status,
        statement,
        tuple(_runs(manifest, attempts))[::-1][:_RUNS_TOLD],
        max(len(attempts) - _RUNS_TOLD, 0),
        requests,
        failure,
        tuple(problems),
        other,
    )


def _runs(manifest: Manifest | None, attempts: list[Any]) -> Iterator[Run]:
    for started, attempt in attempts:
        if attempt is not None:
            yield Run(started.run_id, started.started_at, attempt.outcome, attempt.reason)
        elif manifest and manifest.run_id == started.run_id:
            yield Run(started.run_id, started.started_at, "complete")
        else:
            yield Run(started.run_id, started.started_at, None)


def _failure(store: Store, day: Day, attempt: Attempt) -> Failure:
    path = f"{day.run(attempt.run_id)}attempt.json"
    body = store.read(path) if is_within(path, day.manifests) else None
    # The attempt itself was read; what it tells besides may be damaged, and is then not told.
    with contextlib.suppress(ValidationError):
        return Failure.model_validate_json(body or b"{}")
    return Failure(reason=attempt.reason)


class _Lines:
    """The lines of a day's receipts, and what is wrong with them once they were read."""

    def __init__(self, store: Store, day: Day, reference: Reference) -> None:
        self._store, self._day, self._reference = store, day, reference
        self.problems: list[str] = []

    def __iter__(self) -> Iterator[bytes]:
        path, digest = self._reference.path, hashlib.sha256()
        if not is_within(path, self._day.manifests):
            self.problems.append(f"{path}: the receipts are not of this day")
            return
        yield from lines(self._digested(path, digest))
        if digest.hexdigest() != self._reference.sha256:
            self.problems.append(f"{path}: its SHA-256 is not the one that was stated")

    def _digested(self, path: str, digest: "hashlib._Hash") -> Iterator[bytes]:
        for piece in self._store.stream(path):
            digest.update(piece)
            yield piece
