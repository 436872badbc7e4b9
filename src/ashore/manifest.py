"""The statement that a day is complete, the report of a run that was not, and reading both back."""

import datetime as dt
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ashore.errors import Violated
from ashore.naming import Day, date_of, source_of
from ashore.redaction import in_json
from ashore.store import Store

FORMAT = 1
Count = Annotated[int, Field(ge=0, le=10**60)]
"""Far more than there can be of anything, and yet a number that can be computed with."""
_SEAL = "manifest_sha256"
_SEALED = re.compile(rb'^  "manifest_sha256": "([0-9a-f]{64})",\n', re.MULTILINE)

Model = TypeVar("Model", bound="_Read")


class _Read(BaseModel):
    """What is read back: what ashore needs is checked, what it does not know is left alone."""

    # Built when first used: most commands read none, or one kind of them.
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, defer_build=True)


class Reference(_Read):
    """A file of the run, and the SHA-256 (hex) that it must have."""

    path: str
    sha256: str


class Sent(_Read):
    """What went out: all requests, those of them that were retries, and objects adopted."""

    sent: Count
    retried: Count
    adopted: Count


class Check(_Read):
    """One expectation, as it was judged; its figures are what they are."""

    model_config = ConfigDict(extra="allow")

    name: str
    verdict: str


class Entry(_Read):
    """One endpoint's line of the ledger."""

    expected: Count
    landed: Count
    missing: Count
    objects: Count = 0
    records: Count
    declared_total: Count | None = None
    checks: list[Check] = []


class Statement(_Read):
    """What manifests and attempts have in common."""

    format: int
    source: str
    extraction_date: str
    run_id: str
    started_at: str
    finished_at: str
    requests: Sent
    objects: Count
    bytes: Count
    source_sha256: str
    ledger: Mapping[str, Entry]


class Manifest(Statement):
    """A complete day."""

    receipts: Reference
    sums: Reference
    accepted: list[str] = []
    missing_objects: list[str] = []


class Attempt(Statement):
    """A run that did not complete its day."""

    outcome: str
    reason: str


class Started(_Read):
    """A run that began."""

    run_id: str
    started_at: str
    check: bool = False
    """Whether it only tried the location out: ``extract --check``."""


def encode(document: Mapping[str, Any]) -> bytes:
    """Return a document as it is written: UTF-8, keys sorted, indented, one line end at its end."""
    text = in_json(json.dumps(document, sort_keys=True, indent=2, ensure_ascii=False))
    return f"{text}\n".encode("utf-8", "backslashreplace")


def sealed(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a manifest with its seal: the SHA-256 of it as it is written without the seal's line.

    Other keys follow the seal's, so that it is a line like any other: taken out, all else stays.
    """
    return {**document, _SEAL: hashlib.sha256(encode(document)).hexdigest()}


def is_sealed(manifest: bytes) -> bool:
    """Tell whether a manifest's bytes are those that were written, whatever bit of them changed."""
    seals = _SEALED.findall(manifest)
    others = hashlib.sha256(_SEALED.sub(b"", manifest)).hexdigest()
    return seals == [others.encode()]


def read_manifest(store: Store, day: Day) -> Manifest | None:
    """Return a day's manifest, or None where the day is not complete.

    Raises:
        Violated: when what lies there is no manifest of that day.
        LocationUnusable: when the location cannot be read.
    """
    manifest = _read(store, day.manifest, Manifest)
    if manifest and (manifest.source, manifest.extraction_date) != (day.source, str(day.date)):
        raise Violated(f"{day.manifest} is the manifest of another day; restore it from a copy")
    return manifest


def read_attempts(store: Store, day: Day) -> list[tuple[Started, Attempt | None]]:
    """Return the runs of a day in the order of their ids: how each began, and how it failed."""
    return [*_runs(store, sorted(store.folders(f"{day.manifests}runs/")))]


def latest_run(store: Store, day: Day) -> tuple[Started, Attempt | None] | None:
    """Return the latest run of a day, by its id, and read no other; None where there was none."""
    folders = sorted(store.folders(f"{day.manifests}runs/"), reverse=True)
    return next(_runs(store, folders), None)


def days(store: Store) -> Iterator[Day]:
    """Yield every day that anything is stated about, the latest first."""
    dated = [(date_of(folder), folder) for folder in store.folders("manifests/")]
    for date, folder in sorted(((d, f) for d, f in dated if d), reverse=True):
        for below in store.folders(folder):
            if source := source_of(below):
                yield Day(source, date)


def latest_complete(store: Store, source: str, before: dt.date) -> Manifest | None:
    """Return the manifest of the latest complete day of a source before a date, or None."""
    for folder in sorted(store.folders("manifests/"), reverse=True):
        date = date_of(folder)
        if date is not None and date < before:
            manifest = read_manifest(store, Day(source, date))
            if manifest is not None:
                return manifest
    return None


def _runs(store: Store, folders: Iterable[str]) -> Iterator[tuple[Started, Attempt | None]]:
    for folder in folders:
        started = _read(store, f"{folder}started.json", Started)
        if started and not started.check:
            yield started, _read(store, f"{folder}attempt.json", Attempt)


def _read(store: Store, path: str, model: type[Model]) -> Model | None:
    body = store.read(path)
    if body is None:
        return None
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the whole"
        mend = "restore it from a copy"
        if model is not Manifest:
            mend = f"it is only a report; to move it away: {store.how_to_move(path)}"
        raise Violated(f"{path} is damaged ({place}: {first['msg']}); {mend}") from error
