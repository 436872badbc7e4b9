"""Extract one source's day: look what is there, ask for the rest, prove that all of it landed."""

import contextlib
import datetime as dt
import os
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import Any

from ashore.budget import BudgetBook
from ashore.closing import Closing, Sent, head
from ashore.engine import THREADS, Engine, Errand
from ashore.errors import AshoreError, ExitStatus, Incomplete, LocationUnusable, gravest
from ashore.expectations import Check, Figures
from ashore.fetch import Sender
from ashore.governor import DEADLINE_PASSED, Governor
from ashore.job import Job, Outcome
from ashore.landing import Lander
from ashore.ledger import Ledger
from ashore.manifest import Manifest, encode, latest_complete, read_manifest
from ashore.naming import Day, is_nobodys
from ashore.progress import Observer
from ashore.receipts import ReceiptBook
from ashore.redaction import Redactor, without_any
from ashore.run import Bounds, Run
from ashore.signals import Control
from ashore.spool import Spool
from ashore.store import Body, Store
from ashore.tries import Workshop


def extract(
    job: Job,
    executor: Executor,
    observer: Observer,
    control: Control,
    engine: Engine = THREADS,
) -> Outcome:
    """Extract a source's day; what goes wrong under way is told by the outcome.

    Raises:
        Incomplete: when the deadline had passed before it began.
        LocationUnusable: when the location could not even be begun with.
        Misconfigured: when the budget cannot carry what is known to be needed.
        Violated: when the day's manifest is damaged.
    """
    manifest = read_manifest(job.store, job.day)
    if manifest is not None:
        return _complete_already(job, manifest)
    if time.monotonic() >= job.until:
        raise Incomplete(f"{DEADLINE_PASSED} before this source was begun")
    return _Extraction(job, observer, control, engine).go(executor)


def begin(store: Store, day: Day, run_id: str, content: Mapping[str, Any]) -> None:
    """Write ``started.json``, twice: the second write must be refused.

    Raises:
        LocationUnusable: when the location cannot be written, or replaces what is there.
    """
    # Whether bodies may be read shows by one that is not there: sooner than by a run to resume.
    store.describe(f"{day.raw}.nothing")
    path, body = f"{day.run(run_id)}started.json", Body.of(encode(content))
    if not store.create(path, body) and store.read(path) != body.content:
        raise LocationUnusable(f"{store.root}/{path}: somebody else's run has this id")
    if store.create(path, body):
        raise LocationUnusable(
            f"{store.root} does not honour conditional writes (If-None-Match: *): it replaced an "
            "object that was there; two runs could overwrite each other here"
        )


def new_run_id(now: dt.datetime) -> str:
    """Return an id that sorts by time and that no other run has."""
    return f"{now.strftime('%Y%m%dT%H%M%SZ')}-{secrets.token_hex(4)}"


def _complete_already(job: Job, manifest: Manifest) -> Outcome:
    reason = f"complete since {manifest.finished_at}; no request was sent"
    if manifest.source_sha256 != job.source.sha256:
        reason += " (the catalog's part for this source has changed since)"
    document, status = manifest.model_dump(mode="json"), ExitStatus.COMPLETE
    return Outcome(status, "complete", reason, job.day, manifest.run_id, document, ran=False)


@contextlib.contextmanager
def _waiting_room() -> Iterator[Path]:
    """A folder of this machine where the pages of a set wait for each other."""
    try:
        # Asked by name: where TMPDIR cannot be used, tempfile would quietly go elsewhere.
        room = os.environ.get("TMPDIR") or None
        folder = tempfile.TemporaryDirectory(prefix="ashore-", dir=room, ignore_cleanup_errors=True)
    except OSError as error:
        raise LocationUnusable(f"no room for temporary files (TMPDIR): {error}") from error
    with folder as name:
        yield Path(name)


class _Extraction:
    """One run of a day that is not complete."""

    def __init__(self, job: Job, observer: Observer, control: Control, engine: Engine) -> None:
        self._engine = engine
        self._job, self._observer, self._control = job, observer, control
        self._store, self._day, self._source = job.store, job.day, job.source
        self._started = dt.datetime.now(dt.UTC)
        self._run_id = new_run_id(self._started)
        self._receipts = ReceiptBook()
        self._there = Spool()
        declared = job.source.budget
        self._budget = BudgetBook(job.store, job.source.name, declared) if declared else None
        self._governor = Governor(
            job.host,
            until=job.until,
            max_pause=job.source.retry.max_pause,
            budget=self._budget,
            limit=job.limit,
        )
        self._retried = 0

    def go(self, executor: Executor) -> Outcome:
        date, root = self._day.date.isoformat(), self._store.root
        self._observer.begun(self._source.name, date, root, self._run_id)
        self._store.prepare()
        self._look_around()
        self._refuse_beyond_budget()
        begin(self._store, self._day, self._run_id, head(self._job, self._run_id, self._started))
        ledger = Ledger(self._source, self._job.accepted)
        closing = Closing(self._job, self._run_id, self._started, ledger, self._receipts)
        try:
            with _waiting_room() as aside:
                ledger.compare_with(self._before())
                self._drive(executor, ledger, aside)
                outcome = closing.close(self._sent(), aside, self._control.signal)
        except AshoreError as error:
            status = gravest([self._control.signal or error.status, error.status])
            outcome = closing.attempt(self._sent(), status, str(error))
        except Exception as error:
            bug = without_any(f"a bug in ashore: {error!r}")
            closing.attempt(self._sent(), ExitStatus.UNEXPECTED, bug)
            raise
        return outcome

    def _look_around(self) -> None:
        """Take note of what landed already."""
        for entry in self._store.list(self._day.raw):
            if not is_nobodys(entry.path, entry.size):
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
        needed = (last.objects if last else roots) - self._there.count()
        self._budget.refuse_beyond(max(needed, 0))

    def _before(self) -> dict[str, int]:
        """The records of each endpoint on the latest complete earlier day, where that is asked."""
        if all(endpoint.expect.max_drop is None for endpoint in self._source.endpoints):
            return {}
        manifest = latest_complete(self._store, self._source.name, self._day.date)
        return {name: entry.records for name, entry in manifest.ledger.items()} if manifest else {}

    def _drive(self, executor: Executor, ledger: Ledger, aside: Path) -> None:
        job, governor = self._job, self._governor
        redactor = Redactor(job.secret)
        sender = Sender(self._source, job.secret, governor.turn, job.until)
        local = Workshop(
            source=self._source,
            day=self._day,
            sender=sender,
            lander=Lander(self._store, self._source, self._run_id, redactor),
            redactor=redactor,
            aside=aside,
            there=self._there if self._there.count() else None,
            alone=self._alone(ledger),
            pause=governor.pause,
        )
        errand = Errand(self._store.root, self._run_id, job.workers, job.until)
        hands = self._engine.hands(local, governor, errand)
        threads = self._engine.threads(self._source, job.workers)
        bounds = Bounds(executor, threads, job.until, self._store.folds_case, self._control)
        run = Run(hands, governor, ledger, self._receipts, self._observer, bounds)
        try:
            run.drive()
        finally:
            self._retried = run.retried
            hands.close()

    def _alone(self, ledger: Ledger) -> dict[str, Callable[[Figures], list[Check]]]:
        """The checks that an endpoint's single set has to pass before it lands."""
        return {
            endpoint.name: partial(ledger.checks, endpoint)
            for endpoint in self._source.endpoints
            if endpoint.for_each is None
        }

    def _sent(self) -> Sent:
        return Sent(self._governor.sent, self._retried)
