"""Errors, named by what the caller does next, and the exit status that each one means.

AshoreError
├── Misconfigured    the user mends the command line, the catalog or the environment   2
├── Incomplete       run again later: what landed stays                                 3
├── Violated         look at the data: an expectation or a promise does not hold        4
└── LocationUnusable the operator mends the bucket, the folder or the permission        5
"""

import difflib
from collections.abc import Iterable
from enum import IntEnum


class ExitStatus(IntEnum):
    """What a status of the command means, and who should act."""

    COMPLETE = 0
    """The day is complete, or was already. Nobody has to act."""
    UNEXPECTED = 1
    """A bug in ashore. The developers act."""
    MISCONFIGURED = 2
    """The command line, the catalog or the environment is wrong. The user acts."""
    INCOMPLETE = 3
    """Requests failed for good, or a limit ended the run. Run again; the source may be at fault."""
    VIOLATED = 4
    """An expectation is not met, or an object does not hold up. Look at the data."""
    LOCATION = 5
    """The location cannot be used. The operator acts."""
    INTERRUPTED = 130
    """SIGINT before the manifest stood. The next run resumes."""
    TERMINATED = 143
    """SIGTERM before the manifest stood. The next run resumes."""


_WEIGHT = (
    ExitStatus.INTERRUPTED,
    ExitStatus.TERMINATED,
    ExitStatus.UNEXPECTED,
    ExitStatus.LOCATION,
    ExitStatus.VIOLATED,
    ExitStatus.INCOMPLETE,
    ExitStatus.MISCONFIGURED,
    ExitStatus.COMPLETE,
)


def gravest(statuses: Iterable[ExitStatus]) -> ExitStatus:
    """Return the one status that speaks for several: a signal first, then 1, 5, 4, 3, 2, 0."""
    return min(statuses, key=_WEIGHT.index, default=ExitStatus.COMPLETE)


class AshoreError(Exception):
    """Everything that ashore raises on purpose; its text is one line for people."""

    status = ExitStatus.UNEXPECTED


class Misconfigured(AshoreError):
    """The command line, the catalog or the environment is wrong; nothing was requested."""

    status = ExitStatus.MISCONFIGURED


class Incomplete(AshoreError):
    """The day could not be completed now; the next run goes on from what landed."""

    status = ExitStatus.INCOMPLETE


class Violated(AshoreError):
    """Data do not hold up: an expectation, an unknown shape, a changed or foreign object."""

    status = ExitStatus.VIOLATED


class LocationUnusable(AshoreError):
    """The location cannot be read or written; what landed in it stays good."""

    status = ExitStatus.LOCATION


def nearest(word: str, words: Iterable[str]) -> str:
    """Return a suggestion for a mistyped word: the nearest right one, or all of them."""
    right = sorted(words)
    close = difflib.get_close_matches(word, right, n=1, cutoff=0.6)
    if close:
        return f'did you mean "{close[0]}"?'
    return f"known: {', '.join(right)}" if right else "there is none"
