"""Fixtures of the tests that run the whole program."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.api import ScriptedApi
from tests.support.dask_cluster import DaskCluster
from tests.support.shop import SECRET, Shop

ON_BOTH = {f"test_{name}" for name in ("resume", "retries", "shapes", "secrets", "expectations")}
ON_BOTH |= {"test_budget"}


@pytest.fixture(scope="session")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    """A Dask cluster of two workers, which know the shop's key."""
    folder = tmp_path_factory.mktemp("dask")
    with DaskCluster(folder, env={"SHOP_KEY": SECRET}) as cluster:
        yield cluster


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests of what every extraction promises on threads, and on Dask as well."""
    module = metafunc.module.__name__.rpartition(".")[2]
    if module in ON_BOTH and "on_threads" not in metafunc.fixturenames:
        executors = ["threads", pytest.param("dask", marks=pytest.mark.dask)]
        metafunc.parametrize("executor", executors, indirect=True)


@pytest.fixture(autouse=True)
def executor(
    request: pytest.FixtureRequest, clean_environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What makes the tries of an extraction: threads, unless the test asks for Dask."""
    if getattr(request, "param", "threads") == "dask":
        monkeypatch.setenv("ASHORE_SCHEDULER", request.getfixturevalue("dask").address)


@pytest.fixture
def on_threads() -> None:
    """Keeps a test from Dask: what it needs only threads have, such as an order of their work."""


@pytest.fixture
def shop(api: ScriptedApi, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shop:
    """A source that talks to the scripted API and lands in a folder."""
    return Shop(api, tmp_path, capsys)
