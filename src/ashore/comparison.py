"""What a comparison of two landed days says. Frozen data, for tables, JSON and pages alike."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from ashore.drift import FieldDrift


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of a record on both days, as JSON text; None where the field was not there."""

    field: str
    """Its path as JMESPath writes it, with ``[0]`` for a position in a list."""
    earlier: str | None
    later: str | None


@dataclass(frozen=True, slots=True)
class Changed:
    """A record that stands under the same key on both days, and differs."""

    key: str
    fields: tuple[FieldChange, ...]
    """The first hundred of them."""


@dataclass(frozen=True, slots=True)
class Alone:
    """A record of one day only, as JSON text; the key is None where it has none."""

    key: str | None
    record: str


@dataclass(frozen=True, slots=True)
class Objects:
    """The objects of an endpoint on both days: how many, and how many differ in what way."""

    earlier: int
    later: int
    added: int
    removed: int
    same: int
    only_bytes: int
    """Their bytes differ, and they hold the same records."""
    changed: int


@dataclass(frozen=True, slots=True)
class EndpointComparison:
    """What changed in one endpoint. Counts are of all; examples are the first by their keys."""

    endpoint: str
    key: tuple[str, ...]
    """The catalog's expressions; none where whole records are compared."""
    records_earlier: int
    records_later: int
    added: int
    removed: int
    changed: int
    unchanged: int
    changed_fields: Mapping[str, int]
    """In how many changed records each field differs, the most frequent first."""
    fields: tuple[FieldDrift, ...]
    """Drift of the shape."""
    objects: Objects
    only_bytes: tuple[str, ...]
    """Names of objects whose bytes differ though their records do not, the first of them."""
    added_examples: tuple[Alone, ...]
    removed_examples: tuple[Alone, ...]
    changed_examples: tuple[Changed, ...]
    notes: tuple[str, ...] = ()
    """What a reader has to know besides: keys that repeat, records without one."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changed between two days of a source."""

    source: str
    earlier: dt.date
    later: dt.date
    endpoints: tuple[EndpointComparison, ...]
    notes: tuple[str, ...]
