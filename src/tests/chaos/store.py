"""The store misbehaves: rows of the fault matrix."""
