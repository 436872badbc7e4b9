"""What only a run on a Dask cluster can meet; the other promises are tested on both executors."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from ashore import cluster
from tests.support.api import Call, Reply, ScriptedApi, json_reply
from tests.support.dask_cluster import DaskCluster
from tests.support.process import start
from tests.support.shop import SECRET, TREE, Shop, tree

pytestmark = pytest.mark.dask
MANY = [str(number) for number in range(60)]
SLOW = 0.02  # seconds that an answer takes where a run has to be met under way


@pytest.fixture
def own(tmp_path: Path, executor: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[DaskCluster]:
    """A cluster of which parts may be killed."""
    folder = tmp_path / "dask"
    folder.mkdir()
    with DaskCluster(folder) as running:
        monkeypatch.setenv("ASHORE_SCHEDULER", running.address)
        yield running


@pytest.fixture
def shared(dask: DaskCluster, executor: None, monkeypatch: pytest.MonkeyPatch) -> DaskCluster:
    monkeypatch.setenv("ASHORE_SCHEDULER", dask.address)
    return dask


def at_call(api: ScriptedApi, number: int, happens: object) -> None:
    """Answer slowly, and let something happen once so many items were asked for."""
    happened = threading.Lock()

    def answer(call: Call) -> Reply:
        if len(api.calls) >= number and happened.acquire(blocking=False):
            assert callable(happens)
            happens()
        return json_reply({"asked": call.path}, delay=SLOW)

    api.on("/items", json_reply([{"id": value} for value in MANY]))
    api.answer(answer)


def is_whole(shop: Shop) -> bool:
    names = {f"item/id={value}.json" for value in MANY} | {"items/all.json"}
    return shop.landed().keys() == names and shop.verify().status == 0


def test_a_killed_worker_costs_a_try_and_nothing_else(
    shop: Shop, api: ScriptedApi, own: DaskCluster
) -> None:
    at_call(api, 20, lambda: own.kill_worker(0))
    shop.declare(TREE)
    ran = shop.extract("--json")
    assert ran.status == 0, ran.err
    assert is_whole(shop)
    sent = shop.manifest()["requests"]["sent"]
    assert len(api.calls) <= sent, "what went out is counted"
    assert max(Counter(api.paths()).values()) <= 2


def test_a_worker_that_comes_later_works_too(
    shop: Shop, api: ScriptedApi, own: DaskCluster
) -> None:
    def replace() -> None:
        own.kill_worker(0)
        own.kill_worker(1)
        own.workers.append(own.add_worker())

    at_call(api, 20, replace)
    shop.declare(TREE)
    assert shop.extract().status == 0
    assert is_whole(shop)


@pytest.mark.slow
def test_a_worker_that_falls_silent_is_waited_for_no_longer(
    shop: Shop, api: ScriptedApi, own: DaskCluster
) -> None:
    at_call(api, 20, lambda: own.workers[0].send_signal(signal.SIGSTOP))
    shop.declare(TREE)
    began = time.monotonic()
    assert shop.extract().status == 0
    assert time.monotonic() - began < 45
    assert is_whole(shop)


def test_a_scheduler_that_goes_away_ends_the_run_and_the_next_one_resumes(
    shop: Shop, api: ScriptedApi, own: DaskCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_call(api, 20, own.scheduler.kill)
    shop.declare(TREE)
    began = time.monotonic()
    ran = shop.extract()
    assert ran.status == 3
    assert time.monotonic() - began < 30
    assert "the Dask scheduler tcp://" in shop.attempt()["reason"]
    landed = len(shop.landed())
    monkeypatch.delenv("ASHORE_SCHEDULER")
    assert shop.extract().status == 0
    assert is_whole(shop)
    assert len(shop.receipts()) == len(MANY) + 1 > landed


def test_a_killed_driver_loses_nothing(shop: Shop, api: ScriptedApi, shared: DaskCluster) -> None:
    at_call(api, 10_000, lambda: None)
    shop.declare(TREE)
    with start(*shop.arguments()) as driver:
        driver.wait_for(lambda: len(api.calls) > 20)
        driver.kill()
        driver.finish()
    time.sleep(1.0)  # what workers had been given ends
    landed = set(shop.landed())
    before = len(api.calls)
    assert landed < {f"item/id={value}.json" for value in MANY} | {"items/all.json"}
    assert shop.extract().status == 0
    assert is_whole(shop)
    assert len(api.calls) - before == len(MANY) + 1 - len(landed)


@pytest.mark.slow
def test_a_signal_ends_a_run_within_its_time(
    shop: Shop, api: ScriptedApi, shared: DaskCluster
) -> None:
    at_call(api, 10_000, lambda: None)
    api.on("/item/7", json_reply({}, delay=60))
    shop.declare(TREE)
    with start(*shop.arguments()) as driver:
        driver.wait_for(lambda: "/item/7" in api.paths())
        began = time.monotonic()
        driver.kill(signal.SIGTERM)
        assert driver.finish().status == 143
    assert time.monotonic() - began < 20
    assert shop.attempt()["outcome"] == "terminated"


def test_ctrl_c_leaves_local_workers_to_end_in_order(shop: Shop, api: ScriptedApi) -> None:
    at_call(api, 10_000, lambda: None)
    shop.declare(TREE)
    with start(*shop.arguments(), env={"ASHORE_SCHEDULER": "local"}) as driver:
        driver.wait_for(lambda: len(api.calls) > 20)
        os.killpg(driver.pid, signal.SIGINT)
        ended = driver.finish()
    assert ended.status == 130
    assert [line for line in ended.err.splitlines() if not line.startswith(("{", "ashore: "))] == []
    # Each request that was answered landed: no worker was torn away.
    asked = {path.rpartition("/")[2] for path in api.paths()} - {"items"}
    landed = {name.partition("=")[2].removesuffix(".json") for name in shop.landed()} - {""}
    assert asked == landed
    assert shop.attempt()["requests"]["retried"] == 0


def test_the_pace_holds_over_all_workers(shop: Shop, api: ScriptedApi, shared: DaskCluster) -> None:
    tree(api, MANY[:25])
    shop.declare(TREE, source='rate = "10/s"')
    assert shop.extract().status == 0
    at = [call.at for call in api.calls]
    assert all(later - earlier >= 1.0 for earlier, later in zip(at, at[10:], strict=False))
    assert at[-1] - at[0] < 6


def test_batches_are_used_and_every_request_is_sent_once(
    shop: Shop, api: ScriptedApi, shared: DaskCluster
) -> None:
    values = [str(number) for number in range(300)]
    tree(api, values)
    shop.declare(TREE)
    assert shop.extract().status == 0
    assert Counter(api.paths()) == Counter(["/items", *(f"/item/{v}" for v in values)])
    assert shop.manifest()["requests"]["sent"] == 301
    assert shop.verify().status == 0


def test_a_limit_is_exact(shop: Shop, api: ScriptedApi, shared: DaskCluster) -> None:
    tree(api, MANY)
    shop.declare(TREE)
    ran = shop.extract("--max-requests", "37")
    assert ran.status == 3
    assert len(api.calls) == 37 == shop.attempt()["requests"]["sent"]


def test_no_secret_is_in_what_the_cluster_tells(
    shop: Shop, api: ScriptedApi, shared: DaskCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_KEY", SECRET)
    tree(api, MANY[:5])
    shop.declare(TREE, source='auth = { param = "key", env = "SHOP_KEY" }')
    assert shop.extract().status == 0
    assert {tuple(call.query["key"]) for call in api.calls} == {(SECRET,)}
    assert SECRET.encode() not in shop.written() + shared.told.encode()


# --- what cannot be begun


def test_a_worker_without_the_key_is_told(
    shop: Shop, api: ScriptedApi, shared: DaskCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTHER_KEY", SECRET)
    shop.declare(TREE, source='auth = { bearer_env = "OTHER_KEY" }')
    ran = shop.extract("--json")
    assert ran.status == 2
    assert "the worker tcp://127.0.0.1" in ran.source["reason"]
    assert "OTHER_KEY" in ran.source["reason"]
    assert api.calls == []


def test_workers_of_another_version_are_told(
    shop: Shop, api: ScriptedApi, shared: DaskCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "__version__", "99.0")
    shop.declare(TREE)
    ran = shop.extract("--json")
    assert ran.status == 2
    assert "install the same everywhere" in ran.document["error"]
    assert api.calls == []


@pytest.mark.parametrize(
    "address", ["tcp://127.0.0.1:9", "127.0.0.1:9", "nonsense", "tcp://", "http://127.0.0.1:9"]
)
def test_no_scheduler_is_told(shop: Shop, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setattr(cluster, "_CONNECT", 0.5)
    shop.declare(TREE)
    for options in ([], ["--check"]):
        ran = shop.extract("--scheduler", address, *options)
        assert ran.status == 2
        (line,) = ran.err.splitlines()
        assert f"--scheduler {address}" in line
        assert not shop.landing.exists()


def test_without_the_extra_it_says_how_to_install_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    shop.declare(TREE)
    ran = shop.extract("--scheduler", "local")
    assert ran.status == 2
    assert "pip install 'ashore[dask]'" in ran.err
