"""What must be true of an endpoint's records over the day, as checks with their figures. Pure."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any

from ashore.catalog import Expect

NAMES = ("min_records", "max_records", "unique_key", "max_drop", "allow_missing")
"""The checks that ``--accept ENDPOINT.CHECK`` may name."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What was counted of an endpoint: over the day, or over its one set before that lands."""

    records: int = 0
    duplicates: int = 0
    keyless: int = 0
    missing: int = 0
    before: int | None = None
    """The records of the latest complete earlier day; None where there is none."""


@dataclass(frozen=True, slots=True)
class Check:
    """One expectation, held against what was counted."""

    name: str
    met: bool
    said: str
    figures: dict[str, Any] = field(default_factory=dict)
    accepted: bool = False

    @property
    def holds(self) -> bool:
        """Tell whether the day may be complete as far as this check goes."""
        return self.met or self.accepted

    def problem(self, endpoint: str) -> str:
        """Say what is not met, and the way out."""
        name = f"{endpoint}.{self.name}"
        return f"{name} is not met: {self.said}. If the data are right: --accept {name}"

    def document(self) -> dict[str, Any]:
        """Return the check as a manifest has it."""
        verdict = "met" if self.met else "accepted" if self.accepted else "not met"
        return {"name": self.name, "verdict": verdict, "said": self.said, **self.figures}


def checks(expect: Expect, figures: Figures, accepted: Collection[str] = ()) -> list[Check]:
    """Return a check for each expectation over the endpoint that the catalog states."""
    found = [
        _min_records(expect, figures),
        _max_records(expect, figures),
        _unique_key(expect, figures),
        _max_drop(expect, figures),
        _allow_missing(expect, figures),
    ]
    return [replace(check, accepted=check.name in accepted) for check in found if check is not None]


def _min_records(expect: Expect, figures: Figures) -> Check | None:
    low = expect.min_records
    if low is None:
        return None
    said = f"{figures.records} records, at least {low} expected"
    return Check("min_records", figures.records >= low, said, _counted(low, figures.records))


def _max_records(expect: Expect, figures: Figures) -> Check | None:
    high = expect.max_records
    if high is None:
        return None
    said = f"{figures.records} records, at most {high} expected"
    return Check("max_records", figures.records <= high, said, _counted(high, figures.records))


def _unique_key(expect: Expect, figures: Figures) -> Check | None:
    if not expect.unique_key:
        return None
    wrong = {"duplicates": figures.duplicates, "without_key": figures.keyless}
    said = f"{figures.duplicates} records repeat a key, {figures.keyless} have none"
    return Check("unique_key", not any(wrong.values()), said, wrong)


def _max_drop(expect: Expect, figures: Figures) -> Check | None:
    share, before = expect.max_drop, figures.before
    if share is None:
        return None
    counted = {"expected": share, "found": figures.records, "before": before}
    if not before:
        return Check("max_drop", met=True, said="no earlier day to compare with", figures=counted)
    drop = 1 - figures.records / before
    said = (
        f"{figures.records} records after {before}: {max(drop, 0):.1%} fewer, {share:.1%} allowed"
    )
    # Multiplied rather than divided: 0.1 of 300 is exactly 30.
    met = before - figures.records <= share * before + 1e-9
    return Check("max_drop", met, said, counted)


def _allow_missing(expect: Expect, figures: Figures) -> Check | None:
    allowed, missing = expect.allow_missing, figures.missing
    if not missing and not allowed:
        return None
    said = f"{missing} sets failed for good, {allowed} allowed"
    return Check("allow_missing", missing <= allowed, said, _counted(allowed, missing))


def _counted(expected: float, found: int) -> dict[str, Any]:
    return {"expected": expected, "found": found}
