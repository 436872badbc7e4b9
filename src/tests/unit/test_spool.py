import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ashore.spool import Spool

PATHS = st.text(min_size=1, max_size=10)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)


@pytest.fixture
def spool() -> Iterator[Spool]:
    with contextlib.closing(Spool()) as spool:
        yield spool


@given(st.dictionaries(PATHS.filter(lambda p: p.isascii()), TEXTS, max_size=10))
def test_what_is_kept_comes_back_in_the_order_of_the_paths(kept: dict[str, str]) -> None:
    with contextlib.closing(Spool()) as spool:
        for path, text in kept.items():
            spool.put(path, text)
        assert list(spool.items()) == sorted(kept.items(), key=lambda item: item[0])
        assert spool.count() == len(kept)
        assert all(path in spool and spool.get(path) == kept[path] for path in kept)


@given(PATHS)
def test_any_name_that_a_folder_may_list_can_be_kept(path: str) -> None:
    with contextlib.closing(Spool()) as spool:
        spool.put(path, "1")
        assert path in spool
        assert list(spool.items()) == [(path, "1")]


@pytest.mark.parametrize("name", [b"\xff.json", b"caf\xe9"])
def test_a_name_that_is_not_utf_8_can_be_kept(spool: Spool, name: bytes) -> None:
    path = name.decode("utf-8", "surrogateescape")
    spool.put(path)
    assert path in spool


def test_what_was_never_kept_is_not_there(spool: Spool) -> None:
    assert "x" not in spool
    assert spool.get("x") is None
    assert list(spool.items()) == []


def test_the_last_text_of_a_path_counts(spool: Spool) -> None:
    spool.put("x", "1")
    spool.put("x", "2")
    assert (spool.get("x"), spool.count()) == ("2", 1)


def test_more_than_one_read_s_worth_comes_back(spool: Spool) -> None:
    paths = [f"{number:05}" for number in range(2500)]
    for path in reversed(paths):
        spool.put(path)
    assert [path for path, _ in spool.items()] == paths


def test_items_may_be_kept_while_others_are_read(spool: Spool) -> None:
    spool.put("b")
    for path, _ in spool.items():  # noqa: PERF102 - not a dict
        if path == "b":
            spool.put("a")
            spool.put("c")
    assert spool.count() == 3


def test_racing_threads_lose_nothing(spool: Spool) -> None:
    barrier = threading.Barrier(8)

    def fill(thread: int) -> None:
        barrier.wait()
        for number in range(50):
            spool.put(f"{thread}/{number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(fill, range(8)))
    assert spool.count() == 400
