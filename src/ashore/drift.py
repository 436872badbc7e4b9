"""The shape of records, counted; and how it drifted from one day to another. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ashore.exact import json_type

MOST_FIELDS = 10_000
"""How many fields of an endpoint are told apart: some APIs use data for names."""
_MOST_SEEN = 100_000


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of a field on one day."""

    of: int
    """How often the object was there that the field belongs to."""
    present: int
    null: int
    types: Mapping[str, int]
    """How often it had each JSON type."""


@dataclass(frozen=True, slots=True)
class FieldDrift:
    """A field whose shape is another than it was."""

    field: str
    """Its path as JMESPath writes it, with ``[]`` for any element of a list."""
    kinds: tuple[str, ...]
    """Of ``appeared``, ``vanished``, ``type``, ``null more often``, ``missing more often``."""
    earlier: Seen
    later: Seen
