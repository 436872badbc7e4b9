"""The run is killed: rows of the fault matrix."""
