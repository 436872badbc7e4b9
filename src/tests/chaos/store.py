"""The store misbehaves: rows of the fault matrix."""

from tests.chaos import disk  # noqa: F401
