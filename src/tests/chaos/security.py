"""Nothing leaks, nothing gets in: rows of the fault matrix."""
