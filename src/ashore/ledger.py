"""Per endpoint: what was expected, what landed, what is missing, and why."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ashore.answers import Page
from ashore.catalog import Endpoint, Source
from ashore.expectations import Check, Figures, checks

_FAILURES_TOLD = 1_000


@dataclass(frozen=True, slots=True)
class Failure:
    """One set that did not land, and what came last."""

    endpoint: str
    object: str
    reason: str
    status: int | None
    attempts: int
    body: str

    def document(self) -> dict[str, Any]:
        """Return the failure as an attempt has it."""
        last = self.status if self.status is not None else self.reason
        return {
            "object": self.object,
            "last": last,
            "reason": self.reason,
            "attempts": self.attempts,
            "body": self.body,
        }


@dataclass(slots=True)
class Account:
    """What happened to one endpoint's sets so far."""

    expected: int = 0
    landed: int = 0
    objects: int = 0
    failed: int = 0
    violated: int = 0
    records: int = 0
    declared_total: int | None = None
    doubles: int = 0
    duplicates: int = 0
    keyless: int = 0
    keys: set[int] = field(default_factory=set, repr=False)
    first_reason: str = ""
    """Why the first of those that failed did."""

    @property
    def missing(self) -> int:
        """How many of the sets that were expected did not land."""
        return self.expected - self.landed

    def why(self) -> str:
        """Say how many sets failed for good, and of what the first one did."""
        first = "" if self.failed == 1 else ", the first"
        return f"{self.failed} of {self.expected} failed for good{first}: {self.first_reason}"

    def land(self, pages: Sequence[Page]) -> None:
        """Count a set that landed."""
        self.landed += 1
        self.objects += len(pages)
        for page in pages:
            self.records += page.records
            self.keyless += page.keyless
            known = len(self.keys)
            self.keys.update(page.keys)
            self.duplicates += len(page.keys) - (len(self.keys) - known)
        if pages[0].total is not None:
            self.declared_total = (self.declared_total or 0) + pages[0].total


class Ledger:
    """The accounts of all endpoints, and all that keeps the day from being complete."""

    def __init__(self, source: Source, accepted: Collection[tuple[str, str]] = ()) -> None:
        """Begin a ledger; ``accepted`` are pairs of endpoint and check that need not hold."""
        self._source = source
        self._before: Mapping[str, int] = {}
        self._accepted = accepted
        self.accounts = {endpoint.name: Account() for endpoint in source.endpoints}
        self.failures: list[Failure] = []
        self.failures_untold = 0
        self.violations: list[str] = []
        self.ended: str | None = None

    def compare_with(self, before: Mapping[str, int]) -> None:
        """Take note of each endpoint's records on the latest complete earlier day."""
        self._before = before

    def fail(self, failure: Failure, *, violated: bool = False) -> None:
        """Count a set that is lost for good, by failure or because its data do not hold up."""
        account = self.accounts[failure.endpoint]
        if violated:
            account.violated += 1
            known = failure.reason.startswith(failure.object)
            self.violate(failure.reason if known else f"{failure.object}: {failure.reason}")
        else:
            account.failed += 1
            account.first_reason = account.first_reason or failure.reason
        if len(self.failures) < _FAILURES_TOLD:
            self.failures.append(failure)
        else:
            self.failures_untold += 1

    def violate(self, reason: str) -> None:
        """Take note of something that keeps the day violated."""
        if len(self.violations) < _FAILURES_TOLD:
            self.violations.append(reason)

    def checks(self, endpoint: Endpoint, figures: Figures | None = None) -> list[Check]:
        """Hold what was counted, or a set yet to land, against an endpoint's expectations."""
        account = self.accounts[endpoint.name]
        counted = figures or Figures(
            account.records, account.duplicates, account.keyless, account.failed
        )
        compared = Figures(
            counted.records,
            counted.duplicates,
            counted.keyless,
            counted.missing,
            self._before.get(endpoint.name),
        )
        accepted = {check for name, check in self._accepted if name == endpoint.name}
        return checks(endpoint.expect, compared, accepted)

    def close(self) -> None:
        """Judge the endpoints at the end of a run in which nothing is missing that may not be."""
        for endpoint in filter(self._is_counted, self._source.endpoints):
            for check in self.checks(endpoint):
                if not check.holds:
                    self.violate(check.problem(endpoint.name))

    def is_incomplete(self) -> bool:
        """Tell whether something is missing that is not allowed to be."""
        if self.ended:
            return True
        return any(not self._may_miss(endpoint) for endpoint in self._source.endpoints)

    def document(self) -> dict[str, Any]:
        """Return the ledger as manifests and attempts have it."""
        return {endpoint.name: self._entry(endpoint) for endpoint in self._source.endpoints}

    def used_acceptances(self) -> list[str]:
        """Return the expectations that were not met and were accepted, as they were named."""
        return sorted(
            f"{endpoint.name}.{check.name}"
            for endpoint in self._source.endpoints
            for check in self.checks(endpoint)
            if check.accepted and not check.met
        )

    def _is_counted(self, endpoint: Endpoint) -> bool:
        """Tell whether the records are those of the day: no set that they are of was refused."""
        parent = endpoint.for_each.endpoint if endpoint.for_each else None
        whole = parent is None or self._is_counted(self._source.endpoint(parent))
        return whole and not self.accounts[endpoint.name].violated

    def _may_miss(self, endpoint: Endpoint) -> bool:
        account = self.accounts[endpoint.name]
        if account.missing != account.failed + account.violated:
            return False
        allowed = next((c for c in self.checks(endpoint) if c.name == "allow_missing"), None)
        return allowed is None or allowed.holds

    def _entry(self, endpoint: Endpoint) -> dict[str, Any]:
        account = self.accounts[endpoint.name]
        entry: dict[str, Any] = {
            "expected": account.expected,
            "landed": account.landed,
            "missing": account.missing,
            "objects": account.objects,
            "records": account.records,
            "declared_total": account.declared_total,
            "checks": [check.document() for check in self.checks(endpoint)],
        }
        return entry | ({"doubles": account.doubles} if account.doubles else {})
