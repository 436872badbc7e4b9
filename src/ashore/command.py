"""From what a user asked for to the jobs of a command, and through them one after the other."""

import datetime as dt
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from ashore import dates, expectations
from ashore.advice import what_is_safe, what_to_do
from ashore.budget import BudgetBook
from ashore.catalog import Catalog, Source
from ashore.closing import head
from ashore.engine import THREADS, Engine
from ashore.errors import (
    AshoreError,
    ExitStatus,
    LocationUnusable,
    Misconfigured,
    Violated,
    nearest,
)
from ashore.extract import begin, extract, new_run_id
from ashore.fetch import check_certificates
from ashore.governor import Host, RequestLimit
from ashore.job import Job, Outcome
from ashore.naming import Day
from ashore.progress import Observer
from ashore.redaction import secret_of
from ashore.signals import Control
from ashore.store import Store
from ashore.urls import host_of

Result = TypeVar("Result")

_LOOK_EVERY = 0.25
_LATE = 13.5
_LATE_FOR_SIGNALS = 18.0
"""Seconds after the deadline, and after a signal, at which nothing is waited for any longer."""


@dataclass(frozen=True, slots=True)
class When:
    """The extraction date, and the moment for which a scheduler started the run, if it said so."""

    date: dt.date
    scheduled_at: dt.datetime | None


def chosen(catalog: Catalog, names: Sequence[str]) -> list[Source]:
    """Return the sources of those names, each once, or the catalog's default ones.

    Raises:
        Misconfigured: when the catalog has no source of a name.
    """
    for name in names:
        if name not in catalog.sources:
            problem = nearest(name, catalog.sources)
            raise Misconfigured(f'the catalog has no source "{name}"; {problem}')
    return [catalog.sources[name] for name in dict.fromkeys(names or catalog.default)]


def when(
    date: str | None, environment: Mapping[str, str], now: dt.datetime, *, allow_backdate: bool
) -> When:
    """Return the extraction date: ``--date``, or else that of ASHORE_SCHEDULED_AT, or else today.

    Raises:
        Misconfigured: when it is no date, or none that may be extracted.
    """
    scheduled = environment.get("ASHORE_SCHEDULED_AT", "")
    moment = dates.parse_scheduled_at(scheduled) if scheduled and date is None else None
    day = dates.parse_date(date, "--date") if date is not None else (moment or now).date()
    where = "--date" if date is not None else "ASHORE_SCHEDULED_AT"
    checked = dates.check_extraction_date(day, now.date(), where, allow_backdate=allow_backdate)
    return When(checked, moment)


def acceptances(texts: Iterable[str], sources: Sequence[Source]) -> set[tuple[str, str]]:
    """Return the pairs of endpoint and check that ``--accept`` names.

    Raises:
        Misconfigured: when no such endpoint, or no such check, exists.
    """
    endpoints = {endpoint.name for source in sources for endpoint in source.endpoints}
    accepted = set()
    for text in texts:
        endpoint, _, check = text.partition(".")
        if endpoint not in endpoints:
            problem = nearest(endpoint, endpoints)
            raise Misconfigured(f'--accept {text}: there is no endpoint "{endpoint}"; {problem}')
        if check not in expectations.NAMES:
            problem = nearest(check, expectations.NAMES)
            raise Misconfigured(f'--accept {text}: there is no check "{check}"; {problem}')
        accepted.add((endpoint, check))
    return accepted


def jobs(  # noqa: PLR0913 - each is said on the command line
    sources: Sequence[Source],
    store: Store,
    moment: When,
    environment: Mapping[str, str],
    *,
    workers: int | None,
    until: float,
    limit: RequestLimit | None,
    accepted: Collection[tuple[str, str]],
) -> list[Job]:
    """Return a job for each source, once all that can be wrong beforehand is known to be right.

    Raises:
        Misconfigured: when a source's key is unset or cannot be one, or there are no certificates.
    """
    check_certificates(environment)
    hosts = _hosts(sources)
    keys = [secret_of(source, environment) for source in sources]
    return [
        Job(
            source=source,
            day=Day(source.name, moment.date),
            store=store,
            secret=key,
            workers=workers or source.workers,
            until=until,
            host=hosts[host_of(source.base_url)],
            limit=limit,
            accepted=accepted,
            scheduled_at=moment.scheduled_at,
        )
        for source, key in zip(sources, keys, strict=True)
    ]


def _hosts(sources: Sequence[Source]) -> dict[str, Host]:
    """One for each host; where sources share it, the rates of all of them hold."""
    names = {host_of(source.base_url) for source in sources}
    rates = {
        name: {s.rate for s in sources if s.rate and host_of(s.base_url) == name} for name in names
    }
    return {name: Host(rates[name]) for name in names}


def carry_out(
    todo: Sequence[Job],
    observer: Observer,
    control: Control,
    ended: Callable[[Outcome], None] = lambda _: None,
    engine: Engine = THREADS,
) -> list[Outcome]:
    """Run jobs in turn until all are done or a signal came; return how each ended.

    ``ended`` hears of each at once: of what is told only at the very end, a kill would take all.
    """
    outcomes = []
    for job in todo:
        if control.signal is not None:
            break
        began = time.monotonic()
        try:
            outcome = _in_time(job, observer, control, engine)
        except AshoreError as error:
            outcome = _not_begun(job, error)
        outcomes.append(replace(outcome, seconds=time.monotonic() - began))
        observer.ended(outcomes[-1])
        ended(outcomes[-1])
    return outcomes


def _in_time(job: Job, observer: Observer, control: Control, engine: Engine) -> Outcome:
    """Extract in a thread that is left behind when it does not end in time.

    A location may hang where no deadline reaches: in a write that S3 never answers, say.
    """
    threads = engine.threads(job.source, job.workers)
    executor = ThreadPoolExecutor(threads, thread_name_prefix="worker")
    ended = _begun(partial(extract, job, executor, observer, control, engine))
    late = _late(job)
    try:
        while True:
            if wait([ended], timeout=_LOOK_EVERY).done:
                return ended.result()
            if time.monotonic() > min(late, control.stopped_at + _LATE_FOR_SIGNALS):
                return _left_behind(job, control.signal or ExitStatus.INCOMPLETE)
    finally:
        # Not waited for: a thread that hangs on a dead host must not hold the end.
        executor.shutdown(wait=False, cancel_futures=True)


def try_out(todo: Sequence[Job]) -> list[str]:
    """Try everything but the source: credentials, reading, listing, conditional writes.

    Raises:
        LocationUnusable: when the location cannot be used, or does not answer in time.
    """
    tried = []
    for job in todo:
        ended = _begun(partial(_try_out, job))
        if not wait([ended], timeout=_late(job) - time.monotonic()).done:
            raise LocationUnusable(_silent(job))
        tried.append(ended.result())
    return tried


def _try_out(job: Job) -> str:
    job.store.prepare()
    for folder in (job.day.raw, job.day.manifests):
        next(iter(job.store.list(folder)), None)
    job.store.read(job.day.manifest)
    if job.source.budget:
        BudgetBook(job.store, job.source.name, job.source.budget).try_out()
    now = dt.datetime.now(dt.UTC)
    run_id = new_run_id(now)
    begin(job.store, job.day, run_id, head(job, run_id, now) | {"check": True})
    return f"{job.source.name}: {job.store.root} can be used, and the key is there"


def _begun(work: Callable[[], Result]) -> "Future[Result]":
    """Do something in a thread of its own, which holds nobody who no longer waits for it."""
    ended: Future[Result] = Future()

    def carry_out() -> None:
        try:
            ended.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
            ended.set_exception(error)

    threading.Thread(target=carry_out, name="run", daemon=True).start()
    return ended


def _late(job: Job) -> float:
    """When a job is waited for no longer, on the monotonic clock."""
    # Where an earlier source used up the time, to say so is all that is left to do.
    return max(job.until + _LATE, time.monotonic() + 1.0)


def _not_begun(job: Job, error: AshoreError) -> Outcome:
    found = (str(error),) if isinstance(error, Violated) else ()
    return _without_statement(job, error.status, str(error), what_is_safe(None), found)


def _left_behind(job: Job, status: ExitStatus) -> Outcome:
    return _without_statement(job, status, _silent(job), "what landed stays as it is")


def _silent(job: Job) -> str:
    return f"{job.store.root} did not answer in time"


def _without_statement(
    job: Job, status: ExitStatus, reason: str, safe: str, violations: tuple[str, ...] = ()
) -> Outcome:
    return Outcome(
        status,
        status.name.lower(),
        reason,
        job.day,
        violations=violations,
        ran=False,
        safe=safe,
        next=what_to_do(status),
    )
