"""Several runs at once: rows of the fault matrix."""
