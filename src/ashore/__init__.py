"""Bring raw answers of JSON APIs ashore once a day, and prove that all of them are there."""

__version__ = "0.1.0"

__all__ = ["__version__"]
