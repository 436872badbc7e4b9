from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ashore.answers import Refused, Worth
from ashore.batches import Spread, WorkerLost, batch_size
from ashore.catalog import Source
from ashore.catalog_file import read_catalog
from ashore.crew import Bench, Order, Report
from ashore.errors import Incomplete, LocationUnusable, Misconfigured
from ashore.folder import Folder
from ashore.governor import Governor, Host, RequestLimit
from ashore.naming import Day
from ashore.planning import Request, SetKey, first_request
from ashore.retrying import Failed, Try
from ashore.store import Body
from ashore.tries import Landed, Result, Unsent, Workshop
from tests.support.api import Reply, ScriptedApi, json_reply
from tests.support.catalogs import write_catalog

SOURCE = """
    [source.shop]
    base_url = "$url"
    $more

    [[source.shop.endpoint]]
    name = "items"
    path = "items"

    [[source.shop.endpoint]]
    name = "item"
    path = "item/{id}"
    for_each = { endpoint = "items", select = "[].id", as = "id" }
"""
DAY = Day("shop", dt.date(2026, 11, 24))


def source_of(folder: Path, url: str = "http://127.0.0.1:9", more: str = "") -> Source:
    file = write_catalog(folder / "catalog.toml", SOURCE, url=url, more=more)
    return read_catalog(file).sources["shop"]


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return source_of(tmp_path_factory.mktemp("catalog"))


def request_of(source: Source, value: object) -> Request:
    return first_request(source, DAY, SetKey("item", (("id", str(value)),)))


def tries(source: Source, count: int) -> list[Try]:
    requests = [request_of(source, number) for number in range(count)]
    return [Try(request, request.url) for request in requests]


def landed(tried: Try) -> Landed:
    return Landed(tried.request.key, [], [])


class Here:
    """As much of a workshop as is needed where all is done elsewhere."""

    there = None
    day = DAY

    def __init__(self, source: Source) -> None:
        self.source = source

    def cut(self) -> None: ...

    def close(self) -> None: ...


class Scripted:
    """A crew that makes batches as a test says."""

    def __init__(self, make: Callable[[list[Try], int], Report]) -> None:
        self._make = make
        self.batches: list[list[Try]] = []
        self.barred: list[int] = []

    def attempt(self, tries: list[Try], epoch: int) -> Report:
        self.batches.append(tries)
        return self._make(tries, epoch)

    def bar(self, epoch: int) -> None:
        self.barred.append(epoch)

    def end(self) -> None: ...

    def close(self) -> None: ...


def all_landed(tries: list[Try], epoch: int = 1) -> Report:
    return Report([landed(tried) for tried in tries], [0.0] * len(tries))


def make(
    source: Source, crew: Scripted, count: int, governor: Governor | None = None, workers: int = 2
) -> list[Result]:
    spread = Spread(
        cast("Workshop", Here(source)), governor or Governor(Host()), crew, workers, most=8
    )
    with ThreadPoolExecutor(max(count, 1)) as threads:
        made = list(threads.map(spread.attempt, tries(source, count), timeout=20))
    spread.close()
    return made


def keys(results: list[Result]) -> list[Any]:
    return [cast("Landed", result).key for result in results]


@given(st.integers(0, 40), st.lists(st.integers(0, 3), max_size=40))
def test_what_a_worker_did_not_begin_takes_another_turn(
    source: Source, count: int, begun: list[int]
) -> None:
    left = iter(begun)

    def some(tries: list[Try], epoch: int) -> Report:
        return all_landed(tries[: next(left, len(tries))])

    limit = RequestLimit(count)
    governor = Governor(Host(), limit=limit)
    results = make(source, Scripted(some), count, governor)
    assert keys(results) == [tried.request.key for tried in tries(source, count)]
    assert governor.sent == count
    with pytest.raises(Incomplete):
        limit.take()


def test_a_lost_batch_is_counted_and_each_of_it_tried_like_any_other(source: Source) -> None:
    def lose(tries: list[Try], epoch: int) -> Report:
        raise WorkerLost

    governor = Governor(Host())
    results = make(source, Scripted(lose), 5, governor)
    assert governor.sent == 5
    for result in results:
        assert isinstance(result, Failed)
        assert (result.refused.worth, result.refused.counts_for_breaker) == (Worth.AGAIN, False)


def test_without_a_cluster_the_run_ends_and_says_why(source: Source) -> None:
    def gone(tries: list[Try], epoch: int) -> Report:
        raise Incomplete("the scheduler is gone")

    assert make(source, Scripted(gone), 3) == [Unsent("the scheduler is gone")] * 3


def test_what_goes_wrong_there_is_raised_here(source: Source) -> None:
    def full(tries: list[Try], epoch: int) -> Report:
        return Report([LocationUnusable("disk full")], [0.0])

    with pytest.raises(LocationUnusable, match="disk full"):
        make(source, Scripted(full), 1)


def test_a_pause_bars_what_was_granted_before_it(source: Source) -> None:
    def wait(tries: list[Try], epoch: int) -> Report:
        refused = Failed(tries[0], Refused(Worth.AGAIN, "HTTP 429", 429), pause=0.01)
        return Report([refused], [0.0])

    crew = Scripted(wait)
    make(source, crew, 3)
    assert crew.barred == sorted(crew.barred)
    assert len(crew.barred) == 3


@pytest.mark.parametrize("workers", [1, 3])
def test_no_more_is_under_way_than_there_are_workers(source: Source, workers: int) -> None:
    lock, under_way, most = threading.Lock(), 0, 0

    def slow(tries: list[Try], epoch: int) -> Report:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        threading.Event().wait(0.005)
        with lock:
            under_way -= 1
        return all_landed(tries)

    make(source, Scripted(slow), 30, workers=workers)
    assert most == workers


def test_the_second_cut_waits_for_no_worker(source: Source) -> None:
    never = threading.Event()

    def hang(tries: list[Try], epoch: int) -> Report:
        never.wait(20)
        return all_landed(tries)

    crew = Scripted(hang)
    spread = Spread(cast("Workshop", Here(source)), Governor(Host()), crew, 1, most=1)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(spread.attempt, tries(source, 1)[0])
        while not crew.batches:
            threading.Event().wait(0.001)
        spread.cut()
        assert not waiting.done()
        spread.cut()
        assert waiting.result(5) == Unsent()
    never.set()
    spread.close()


@pytest.mark.parametrize("more", ['rate = "5/s"', 'budget = { requests = 5, per = "1h" }'])
def test_what_is_counted_one_by_one_is_sent_one_by_one(tmp_path: Path, more: str) -> None:
    assert batch_size(source_of(tmp_path, more=more), 4) == 1


@given(st.integers(1, 256))
def test_threads_stay_few_however_many_workers_there_are(source: Source, workers: int) -> None:
    assert 1 <= batch_size(source, workers) * workers <= 512


# --- what a worker does


@pytest.fixture
def bench(api: ScriptedApi, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(order(tmp_path, api))
    yield made
    made._workshop.close()


def order(folder: Path, api: ScriptedApi, more: str = "") -> Order:
    place = folder / "landing"
    store = Folder(place)
    store.prepare()
    store.create(f"{DAY.run('run')}started.json", Body.of(b"{}"))
    return Order(source_of(folder, api.url, more), DAY, str(place), "run", 60.0, {})


def test_a_worker_lands_each_answer_itself(bench: Bench, api: ScriptedApi, tmp_path: Path) -> None:
    api.answer(lambda call: json_reply(call.path))
    report = bench.work(tries(source_of(tmp_path, api.url), 3), 1)
    assert [type(result) for result in report.results] == [Landed] * 3
    assert report.ago == sorted(report.ago, reverse=True)
    assert len(list((tmp_path / "landing").rglob("id=*.json"))) == 3


@pytest.mark.parametrize(("status", "made"), [(503, 2), (429, 2), (401, 2), (404, 4)])
def test_a_worker_goes_on_only_while_nobody_may_have_to_wait(
    bench: Bench, api: ScriptedApi, tmp_path: Path, status: int, made: int
) -> None:
    api.answer(lambda call: Reply(status) if call.path == "/item/1" else json_reply(1))
    assert len(bench.work(tries(source_of(tmp_path, api.url), 4), 1).results) == made


def test_a_worker_returns_what_would_take_too_long(
    bench: Bench, api: ScriptedApi, tmp_path: Path
) -> None:
    api.answer(lambda call: json_reply(1, delay=0.15))
    assert len(bench.work(tries(source_of(tmp_path, api.url), 5), 1).results) == 2


def test_what_was_granted_before_a_pause_is_not_begun(
    bench: Bench, api: ScriptedApi, tmp_path: Path
) -> None:
    api.answer(lambda call: json_reply(1))
    bench._barred = 3
    asked = tries(source_of(tmp_path, api.url), 1)
    assert bench.work(asked, 3) == Report([], [])
    assert len(bench.work(asked, 4).results) == 1


def test_a_folder_that_is_not_shared_is_told(api: ScriptedApi, tmp_path: Path) -> None:
    made = order(tmp_path, api)
    (tmp_path / "landing").rename(tmp_path / "elsewhere")
    with pytest.raises(LocationUnusable, match="has to be shared"):
        Bench(made)


def test_a_key_that_is_not_there_is_told(api: ScriptedApi, tmp_path: Path) -> None:
    made = order(tmp_path, api, 'auth = { bearer_env = "SHOP_KEY" }')
    with pytest.raises(Misconfigured, match="SHOP_KEY"):
        Bench(made)
