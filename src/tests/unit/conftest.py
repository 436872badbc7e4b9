import functools
from collections.abc import Callable
from textwrap import dedent

import pytest

from ashore.catalog import Source
from ashore.catalog_file import read_catalog

Declare = Callable[[str], Source]


@pytest.fixture(scope="session")
def declare(tmp_path_factory: pytest.TempPathFactory) -> Declare:
    """A source as a catalog would declare it; `[source.api]` and its URL need not be said."""
    folder = tmp_path_factory.mktemp("catalogs")

    @functools.cache
    def declared(text: str) -> Source:
        path = folder / "catalog.toml"
        head = '[source.api]\nbase_url = "http://api.example/v1"\n'
        path.write_text(head + dedent(text), encoding="utf-8")
        return read_catalog(path).sources["api"]

    return declared
