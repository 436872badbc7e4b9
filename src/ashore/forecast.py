"""What an extraction would request: from the catalog and the last complete day, sending nothing."""

import datetime as dt
from dataclasses import dataclass

from ashore.catalog import Source
from ashore.manifest import Manifest, latest_complete
from ashore.store import Store

_SECONDS_UNPACED = 0.3
"""What a request takes where no rate is declared and no day is there to learn from: a guess."""


@dataclass(frozen=True, slots=True)
class EndpointPlan:
    """One endpoint's requests; None where only an extraction can tell."""

    endpoint: str
    requests: int | None
    basis: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a source's next day takes."""

    source: str
    endpoints: tuple[EndpointPlan, ...]
    requests: int
    at_least: bool
    """Whether there are more requests than can be known now."""
    minutes: float
    """At the declared pace; without one, by the workers and a guess of 0.3 s a request."""
    pace: str
    objects: int | None
    bytes: int | None
    learned_from: str | None
    budgeted: bool
    """Whether each request is counted in the location before it is sent."""


def plan(store: Store | None, source: Source, today: dt.date) -> Plan:
    """Return what extracting a source would request.

    Raises:
        Violated: when the last complete day's manifest is damaged.
    """
    last = latest_complete(store, source.name, today + dt.timedelta(days=1)) if store else None
    endpoints = tuple(_endpoint(source, name.name, last) for name in source.endpoints)
    requests = sum(each.requests or 0 for each in endpoints)
    return Plan(
        source=source.name,
        endpoints=endpoints,
        requests=requests,
        at_least=any(each.requests is None for each in endpoints),
        minutes=_seconds(source, requests) / 60,
        pace=str(source.rate) if source.rate else f"{source.workers} at a time",
        objects=last.objects if last else None,
        bytes=last.bytes if last else None,
        learned_from=last.extraction_date if last else None,
        budgeted=source.budget is not None,
    )


def _endpoint(source: Source, name: str, last: Manifest | None) -> EndpointPlan:
    endpoint = source.endpoint(name)
    if last is not None and name in last.ledger:
        return EndpointPlan(name, last.ledger[name].objects, f"as on {last.extraction_date}")
    if endpoint.for_each is None:
        basis = "the first page; how many follow is not known" if endpoint.paging else "one request"
        return EndpointPlan(name, 1, basis)
    return EndpointPlan(name, None, f"one for each value found in {endpoint.for_each.endpoint}")


def _seconds(source: Source, requests: int) -> float:
    if source.rate:
        return requests / source.rate.requests * source.rate.seconds
    return requests * _SECONDS_UNPACED / source.workers
