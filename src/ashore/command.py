"""From what a user asked for to the jobs of a command, and through them one after the other."""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ashore import dates, expectations
from ashore.catalog import Catalog, Source
from ashore.closing import head
from ashore.errors import AshoreError, ExitStatus, Misconfigured, Violated, nearest
from ashore.extract import begin, extract, new_run_id
from ashore.job import Job, Outcome
from ashore.naming import Day
from ashore.pace import Limit
from ashore.progress import Observer
from ashore.redaction import secret_of
from ashore.signals import Control
from ashore.store import Store


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
    limits: tuple[Limit, ...],
    accepted: Collection[tuple[str, str]],
) -> list[Job]:
    """Return a job for each source, once all that can be wrong beforehand is known to be right.

    Raises:
        Misconfigured: when a source's key is unset or cannot be one.
    """
    keys = [secret_of(source, environment) for source in sources]
    return [
        Job(
            source=source,
            day=Day(source.name, moment.date),
            store=store,
            secret=key,
            workers=workers or source.workers,
            until=until,
            limits=limits,
            accepted=accepted,
            scheduled_at=moment.scheduled_at,
        )
        for source, key in zip(sources, keys, strict=True)
    ]


def carry_out(todo: Sequence[Job], observer: Observer, control: Control) -> list[Outcome]:
    """Run jobs in turn until all are done or a signal came; return how each ended."""
    outcomes = []
    for job in todo:
        if control.signal is not None:
            break
        executor = ThreadPoolExecutor(job.workers, thread_name_prefix="worker")
        try:
            outcomes.append(extract(job, executor, observer, control))
        except AshoreError as error:
            outcomes.append(_failed(job, error))
            observer.ended(error.status.name.lower(), f"{job.source.name} {job.day.date}: {error}")
        finally:
            # Not waited for: a thread that hangs on a dead host must not hold the end.
            executor.shutdown(wait=False, cancel_futures=True)
    return outcomes


def try_out(todo: Sequence[Job]) -> list[str]:
    """Try everything but the source: credentials, reading, listing, conditional writes.

    Raises:
        LocationUnusable: when the location cannot be used.
    """
    tried = []
    for job in todo:
        job.store.prepare()
        next(iter(job.store.list(job.day.manifests)), None)
        now = dt.datetime.now(dt.UTC)
        run_id = new_run_id(now)
        begin(job.store, job.day, run_id, head(job, run_id, now) | {"check": True})
        tried.append(f"{job.source.name}: {job.store.root} can be used, and the key is there")
    return tried


def _failed(job: Job, error: AshoreError) -> Outcome:
    status = error.status
    found = (str(error),) if isinstance(error, Violated) else ()
    name = ExitStatus(status).name.lower()
    return Outcome(status, name, str(error), job.day, violations=found, ran=False)
