"""Extract one source's day: look what is there, ask for the rest, prove that all of it landed."""

import contextlib
import datetime as dt
import hashlib
import secrets
import tempfile
import threading
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ashore import __version__
from ashore.budget import BudgetBook
from ashore.catalog import Source
from ashore.errors import AshoreError, ExitStatus, LocationUnusable
from ashore.expectations import Check, Figures
from ashore.fetch import Sender
from ashore.landing import Lander
from ashore.ledger import Ledger
from ashore.manifest import FORMAT, Manifest, encode, latest_complete, read_manifest
from ashore.naming import Day, is_nobodys
from ashore.pace import Governor, Limit
from ashore.progress import Observer
from ashore.receipts import ReceiptBook, timestamp
from ashore.redaction import Redactor
from ashore.run import Run
from ashore.signals import Control
from ashore.spool import Spool
from ashore.store import Body, Store
from ashore.tries import Workshop

_PATIENCE = 5.0
"""Seconds that the last report may take when the location does not answer."""


@dataclass(frozen=True, slots=True)
class Job:
    """One source's day to extract, and how."""

    source: Source
    day: Day
    store: Store
    secret: str | None
    workers: int
    until: float
    """The deadline on the monotonic clock."""
    limits: tuple[Limit, ...] = ()
    accepted: Collection[tuple[str, str]] = ()
    scheduled_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an extraction ended, for people and for programs."""

    status: ExitStatus
    outcome: str
    reason: str
    source: str
    day: Day
    run_id: str | None
    document: Mapping[str, Any]
    """The manifest or the attempt; of a day that was complete already, its manifest."""
    violations: tuple[str, ...] = ()
    ran: bool = True
    """Whether anything was done: not so where the day was complete already."""


def extract(job: Job, executor: Executor, observer: Observer, control: Control) -> Outcome:
    """Extract a source's day; what goes wrong is told by the outcome.

    Raises:
        LocationUnusable: when the location could not even be begun with.
        Violated: when the day's manifest is damaged.
    """
    manifest = read_manifest_if_any(job.store, job.day)
    if manifest is not None:
        return _complete_already(job, manifest)
    return _Extraction(job, observer, control).go(executor)


def read_manifest_if_any(store: Store, day: Day) -> Manifest | None:
    """Return the day's manifest; a location that is not there yet has none."""
    store.prepare()
    return read_manifest(store, day)


def begin(store: Store, day: Day, run_id: str, more: Mapping[str, Any]) -> None:
    """Write ``started.json``, twice: the second write must be refused.

    Raises:
        LocationUnusable: when the location cannot be written, or replaces what is there.
    """
    path = f"{day.run(run_id)}started.json"
    content = encode({"format": FORMAT, "ashore": __version__, "run_id": run_id, **more})
    body = Body(content, len(content), hashlib.sha256(content).hexdigest())
    if not store.create(path, body) and store.read(path) != content:
        raise LocationUnusable(f"{store.root}/{path}: somebody else's run has this id")
    if store.create(path, body):
        raise LocationUnusable(
            f"{store.root} does not honour conditional writes (If-None-Match: *): it replaced an "
            "object that was there; two runs could overwrite each other here"
        )


def new_run_id(now: dt.datetime) -> str:
    """Return an id that sorts by time and that no other run has."""
    return f"{now.strftime('%Y%m%dT%H%M%SZ')}-{secrets.token_hex(4)}"


@contextlib.contextmanager
def _waiting_room() -> Iterator[Path]:
    """A folder of this machine where the pages of a set wait for each other."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="ashore-", ignore_cleanup_errors=True)
    except OSError as error:
        raise LocationUnusable(f"no room for temporary files (TMPDIR): {error}") from error
    with folder as name:
        yield Path(name)


def _complete_already(job: Job, manifest: Manifest) -> Outcome:
    reason = f"complete since {manifest.finished_at}; no request was sent"
    if manifest.source_sha256 != job.source.sha256:
        reason += " (the catalog's part for this source has changed since)"
    document = manifest.model_dump(mode="json")
    source = job.source.name
    run_id, status = manifest.run_id, ExitStatus.COMPLETE
    return Outcome(status, "complete", reason, source, job.day, run_id, document, ran=False)


class _Extraction:
    """One run of a day that is not complete."""

    def __init__(self, job: Job, observer: Observer, control: Control) -> None:
        self._job, self._observer, self._control = job, observer, control
        self._store, self._day, self._source = job.store, job.day, job.source
        self._started = dt.datetime.now(dt.UTC)
        self._run_id = new_run_id(self._started)
        self._receipts = ReceiptBook()
        self._there = Spool()
        declared = job.source.budget
        self._budget = BudgetBook(job.store, job.source.name, declared) if declared else None
        limits = (*job.limits, self._budget) if self._budget else job.limits
        self._governor = Governor(job.source.rate, limits)
        self._redactor = Redactor(job.secret)
        self._retried = 0

    def go(self, executor: Executor) -> Outcome:
        date, root = self._day.date.isoformat(), self._store.root
        self._observer.begun(self._source.name, date, root, self._run_id)
        self._look_around()
        self._refuse_beyond_budget()
        begin(self._store, self._day, self._run_id, self._head())
        ledger = Ledger(self._source, self._before(), self._job.accepted)
        try:
            with _waiting_room() as aside:
                self._drive(executor, ledger, aside)
                outcome = self._finish(ledger, aside)
        except AshoreError as error:
            outcome = self._attempt(ledger, error.status, str(error))
        self._observer.ended(outcome.outcome, outcome.reason)
        return outcome

    def _before(self) -> dict[str, int]:
        """The records of each endpoint on the latest complete earlier day, where that is asked."""
        if all(endpoint.expect.max_drop is None for endpoint in self._source.endpoints):
            return {}
        manifest = latest_complete(self._store, self._source.name, self._day.date)
        return {name: entry.records for name, entry in manifest.ledger.items()} if manifest else {}

    def _look_around(self) -> None:
        for entry in self._store.list(self._day.raw):
            if not is_nobodys(entry.path):
                self._there.put(entry.path)

    def _refuse_beyond_budget(self) -> None:
        """Begin nothing that is known to end before it is done.

        Raises:
            Misconfigured: when the budget cannot carry what is known to be left to do.
        """
        if self._budget is None:
            return
        last = latest_complete(self._store, self._source.name, self._day.date)
        roots = sum(endpoint.for_each is None for endpoint in self._source.endpoints)
        needed = (last.objects if last else roots) - len(self._there)
        self._budget.refuse_beyond(max(needed, 0))

    def _drive(self, executor: Executor, ledger: Ledger, aside: Path) -> None:
        job = self._job
        sender = Sender(self._source, job.secret, self._governor.turn, job.until)
        workshop = Workshop(
            source=self._source,
            day=self._day,
            sender=sender,
            lander=Lander(self._store, self._source, self._run_id),
            redactor=self._redactor,
            aside=aside,
            is_there=self._there.__contains__,
            alone=self._alone(ledger),
            pause=self._governor.pause,
        )
        run = Run(
            self._source,
            self._day,
            workshop,
            self._governor,
            ledger,
            self._receipts,
            self._observer,
            executor=executor,
            workers=job.workers,
            until=job.until,
            folds_case=self._store.folds_case,
            control=self._control,
        )
        try:
            run.drive()
        finally:
            self._retried = run.retried
            sender.close()

    def _alone(self, ledger: Ledger) -> dict[str, Any]:
        """The checks for endpoints with a single set, which it has to pass before it lands."""

        def checks_of(name: str) -> Any:  # noqa: ANN401 - a closure over one endpoint
            endpoint = self._source.endpoint(name)

            def check(figures: Figures) -> list[Check]:
                return ledger.checks(endpoint, figures)

            return check

        singles = [endpoint.name for endpoint in self._source.endpoints if not endpoint.for_each]
        return {name: checks_of(name) for name in singles}

    def _finish(self, ledger: Ledger, aside: Path) -> Outcome:
        if not ledger.is_incomplete():
            ledger.close()
            self._find_foreign(ledger)
        if ledger.is_incomplete() or ledger.violations or self._control.signal:
            status = self._verdict(ledger)
            return self._attempt(ledger, status, self._why(ledger))
        return self._complete(ledger, aside)

    def _find_foreign(self, ledger: Ledger) -> None:
        known = {failure.object for failure in ledger.failures}
        for entry in self._store.list(self._day.raw):
            path = entry.path
            if not is_nobodys(path) and path not in self._receipts and path not in known:
                move = self._store.how_to_move(path)
                ledger.violate(f"{path} is foreign: no request of the day explains it. {move}")

    def _verdict(self, ledger: Ledger) -> ExitStatus:
        if self._control.signal is not None:
            return self._control.signal
        return ExitStatus.VIOLATED if ledger.violations else ExitStatus.INCOMPLETE

    def _why(self, ledger: Ledger) -> str:
        parts = [ledger.ended] if ledger.ended else []
        for name, account in ledger.accounts.items():
            if account.failed:
                parts.append(f"{name}: {account.failed} of {account.expected} failed for good")
        parts += ledger.violations[:3]
        if len(ledger.violations) > 3:
            parts.append(f"and {len(ledger.violations) - 3} more")
        return "; ".join(parts)

    def _complete(self, ledger: Ledger, aside: Path) -> Outcome:
        folder = self._day.run(self._run_id)
        receipts, sums = self._receipts.write(aside)
        self._confirm(f"{folder}receipts.jsonl", receipts)
        self._confirm(f"{folder}SHA256SUMS", sums)
        document = self._document(ledger) | {
            "receipts": {"path": f"{folder}receipts.jsonl", "sha256": receipts.sha256},
            "sums": {"path": f"{folder}SHA256SUMS", "sha256": sums.sha256},
            "missing_objects": [failure.object for failure in ledger.failures],
        }
        self._store.settle(self._day.raw)
        self._store.settle(self._day.manifests)
        content = encode(document)
        body = Body(content, len(content), hashlib.sha256(content).hexdigest())
        mine = self._store.create(self._day.manifest, body)
        self._store.settle(self._day.manifests)
        reason = f"complete: {self._receipts.objects} objects, {self._receipts.bytes} bytes"
        if not mine and self._store.read(self._day.manifest) != content:
            reason += "; another run wrote the manifest"
        return self._outcome(ExitStatus.COMPLETE, "complete", reason, document)

    def _confirm(self, path: str, body: Body) -> None:
        if self._store.create(path, body):
            return
        there = self._store.describe(path)
        if there is None or there.sha256 != body.sha256:
            raise LocationUnusable(f"{self._store.root}/{path}: something else was written here")

    def _attempt(self, ledger: Ledger, status: ExitStatus, reason: str) -> Outcome:
        reason = self._redactor.clean(reason)
        document = self._document(ledger) | {
            "outcome": status.name.lower(),
            "reason": reason,
            "violations": [self._redactor.clean(text) for text in ledger.violations],
            "failures": [failure.document() for failure in ledger.failures],
            "failures_untold": ledger.failures_untold,
        }
        self._write_attempt(encode(document))
        return self._outcome(
            status, status.name.lower(), reason, document, tuple(document["violations"])
        )

    def _write_attempt(self, content: bytes) -> None:
        """Write the report if the location allows it; a dead one is not waited for."""
        body = Body(content, len(content), hashlib.sha256(content).hexdigest())
        path = f"{self._day.run(self._run_id)}attempt.json"

        def write() -> None:
            try:
                self._store.create(path, body)
            except AshoreError:
                return  # the same is told on standard error, which is all that is left

        writer = threading.Thread(target=write, daemon=True)
        writer.start()
        writer.join(_PATIENCE)

    def _head(self) -> dict[str, Any]:
        scheduled = self._job.scheduled_at
        return {
            "source": self._source.name,
            "extraction_date": self._day.date.isoformat(),
            "started_at": timestamp(self._started),
            "scheduled_at": timestamp(scheduled) if scheduled else None,
        }

    def _document(self, ledger: Ledger) -> dict[str, Any]:
        book = self._receipts
        return self._head() | {
            "format": FORMAT,
            "ashore": __version__,
            "run_id": self._run_id,
            "finished_at": timestamp(dt.datetime.now(dt.UTC)),
            "requests": {
                "sent": self._governor.sent,
                "retried": self._retried,
                "adopted": book.adopted,
            },
            "objects": book.objects,
            "bytes": book.bytes,
            "source_sha256": self._source.sha256,
            "licence": self._source.licence,
            "accepted": ledger.used_acceptances(),
            "ledger": ledger.document(),
        }

    def _outcome(
        self,
        status: ExitStatus,
        outcome: str,
        reason: str,
        document: Mapping[str, Any],
        violations: tuple[str, ...] = (),
    ) -> Outcome:
        source, day, run_id = self._source.name, self._day, self._run_id
        return Outcome(status, outcome, reason, source, day, run_id, document, violations)
