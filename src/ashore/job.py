"""One source's day to extract, and how that ended. Frozen data."""

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from ashore.catalog import Source
from ashore.errors import ExitStatus
from ashore.governor import Host, RequestLimit
from ashore.naming import Day
from ashore.store import Store


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
    host: Host = field(default_factory=Host)
    """Shared with all other jobs that ask the same host."""
    limit: RequestLimit | None = None
    accepted: Collection[tuple[str, str]] = ()
    """Pairs of endpoint and check that need not hold."""
    scheduled_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an extraction ended, for people and for programs."""

    status: ExitStatus
    outcome: str
    reason: str
    day: Day
    run_id: str | None = None
    document: Mapping[str, Any] = field(default_factory=dict)
    """The manifest or the attempt; of a day that was complete already, its manifest."""
    violations: tuple[str, ...] = ()
    ran: bool = True
    """Whether anything was done: not so where the day was complete already."""
    safe: str = ""
    """What a failed run leaves behind, for whoever is woken by it."""
    next: str = ""
    """What to do then."""
    seconds: float = 0.0
    """How long it took."""
