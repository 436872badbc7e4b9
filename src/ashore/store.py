"""Where answers lie: one small interface, and a folder or S3 behind it."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

Metadata = Mapping[str, Any]
"""What is known of an object besides its bytes: JSON values, small and in ASCII when written."""


@dataclass(frozen=True, slots=True)
class Body:
    """Bytes to be stored, in memory or in a file, with their size and SHA-256 (hex)."""

    content: bytes | Path = field(repr=False)
    size: int
    sha256: str

    @classmethod
    def of(cls, content: bytes) -> Self:
        """Return bytes with their size and SHA-256."""
        return cls(content, len(content), hashlib.sha256(content).hexdigest())


@dataclass(frozen=True, slots=True)
class Entry:
    """An object as a listing shows it: its path from the location's root, its size in bytes."""

    path: str
    size: int


@dataclass(frozen=True, slots=True)
class Description:
    """What the store itself says of an object: SHA-256 in hex; metadata where it carries any."""

    size: int
    sha256: str
    metadata: Metadata | None


class Store(Protocol):
    """A location. Paths are relative to its root, with ``/`` between the parts.

    Every method raises LocationUnusable where the operator has to act.
    """

    root: str
    """The location as a user writes it, without a slash at its end."""
    folds_case: bool
    """Whether ``a`` and ``A`` are the same name here; known after ``prepare``."""

    def prepare(self) -> None:
        """Make ready for writing: make the folder, look at how it treats names."""

    def create(self, path: str, body: Body, metadata: Metadata | None = None) -> bool:
        """Store an object that was not there; False, and nothing stored, when the name is taken."""

    def read(self, path: str) -> bytes | None:
        """Return an object's bytes, or None where there is none."""

    def stream(self, path: str) -> Iterator[bytes]:
        """Yield an object's bytes in pieces; nothing at all where there is none."""

    def describe(self, path: str) -> Description | None:
        """Return what the store says of an object, or None where there is none."""

    def list(self, prefix: str) -> Iterator[Entry]:
        """Yield every object below a folder (``prefix`` ends in a slash), in no special order."""

    def folders(self, prefix: str) -> Iterator[str]:
        """Yield the folders directly in a folder, each with its path and a slash at its end."""

    def read_version(self, path: str) -> tuple[bytes, str] | None:
        """Return an object that may be replaced, and the version of it that was read."""

    def replace(self, path: str, body: bytes, version: str | None) -> bool:
        """Replace that version (None: where there is none); False when it is no longer there."""

    def settle(self, prefix: str) -> None:
        """Return when all that was created below a folder would survive a loss of power."""

    def how_to_move(self, path: str) -> str:
        """Return the command that moves an object out of the way."""
