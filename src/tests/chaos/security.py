"""Nothing leaks, nothing gets in: rows of the fault matrix."""

from tests.chaos import (
    security_bombs,
    security_hosts,
    security_keys,
    security_names,
    security_terminal,
)

__all__ = [
    "security_bombs",
    "security_hosts",
    "security_keys",
    "security_names",
    "security_terminal",
]
