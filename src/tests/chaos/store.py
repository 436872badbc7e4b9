"""The store misbehaves: rows of the fault matrix."""

from tests.chaos import bucket, disk  # noqa: F401
