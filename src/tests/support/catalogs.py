"""Write catalogs for tests."""

from pathlib import Path
from string import Template
from textwrap import dedent


def write_catalog(path: Path, text: str, **replacements: object) -> Path:
    """Write a catalog in which `$name` stands for a replacement; braces are the catalog's own.

    Raises:
        KeyError: the text names a replacement that is not given.
    """
    path.write_text(Template(dedent(text)).substitute(replacements), encoding="utf-8")
    return path
