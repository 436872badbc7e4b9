"""The fault matrix: every fault that can be made here, played on the real program."""

# Each of these enters its rows in the matrix.
from tests.chaos import (
    kills,
    power_loss,
    reading,
    rot,
    security,
    source,
    source_bodies,
    source_connections,
    source_days,
    source_dead,
    source_limits,
    source_pages,
    source_places,
    source_sets,
    source_waits,
    store,
    together,
    told_to_end,
)

__all__ = [
    "kills",
    "power_loss",
    "reading",
    "rot",
    "security",
    "source",
    "source_bodies",
    "source_connections",
    "source_days",
    "source_dead",
    "source_limits",
    "source_pages",
    "source_places",
    "source_sets",
    "source_waits",
    "store",
    "together",
    "told_to_end",
]
