"""Nothing leaks, nothing gets in: rows of the fault matrix."""

from tests.chaos import security_hosts, security_keys, security_names

__all__ = ["security_hosts", "security_keys", "security_names"]
