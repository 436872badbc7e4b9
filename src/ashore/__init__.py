"""Bring raw answers of JSON APIs ashore once a day, and prove that all of them are there."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("ashore")
except PackageNotFoundError:  # run from a source tree that was never installed
    __version__ = "0.0.0"

__all__ = ["__version__"]
