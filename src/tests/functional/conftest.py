"""Fixtures of the tests that run the whole program."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.api import ScriptedApi
from tests.support.dask_cluster import DaskCluster
from tests.support.shop import SECRET, Shop


@pytest.fixture(scope="session")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    """A Dask cluster of two workers, which know the shop's key."""
    folder = tmp_path_factory.mktemp("dask")
    with DaskCluster(folder, env={"SHOP_KEY": SECRET}) as cluster:
        yield cluster


@pytest.fixture(autouse=True)
def executor(
    request: pytest.FixtureRequest,
    outer_environment: Mapping[str, str],
    clean_environment: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Extractions run on threads, or all of them on Dask: `make test-dask`."""
    if outer_environment.get("ASHORE_TEST_EXECUTOR") == "dask":
        monkeypatch.setenv("ASHORE_SCHEDULER", request.getfixturevalue("dask").address)


@pytest.fixture
def on_threads(executor: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """For what only threads promise, such as the order in which one thread works."""
    monkeypatch.delenv("ASHORE_SCHEDULER", raising=False)


@pytest.fixture
def shop(api: ScriptedApi, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shop:
    """A source that talks to the scripted API and lands in a folder."""
    return Shop(api, tmp_path, capsys)
