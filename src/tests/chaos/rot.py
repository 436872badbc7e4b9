"""Data rots: rows of the fault matrix."""
