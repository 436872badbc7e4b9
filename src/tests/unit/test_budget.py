"""A quota over a rolling window, held against made-up time; its file lies in a real folder."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ashore.budget import BudgetBook
from ashore.catalog import Budget
from ashore.errors import Incomplete, Misconfigured
from ashore.folder import Folder


def declared(requests: int, per: str) -> Budget:
    return Budget.model_validate({"requests": requests, "per": per})


BUDGETS = st.builds(declared, st.integers(1, 6), st.sampled_from(["7s", "1h", "1d"]))


class Moment:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def location() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def taken(book: BudgetBook) -> bool:
    try:
        book.take()
    except Incomplete:
        return False
    return True


@settings(max_examples=15)
@given(BUDGETS, st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=1, max_size=25))
def test_no_window_ever_holds_more_than_the_budget_over_any_number_of_runs(
    budget: Budget, asked: list[tuple[bool, float]]
) -> None:
    clock = Moment()
    sent: list[float] = []
    with location() as folder:
        book = BudgetBook(Folder(folder), "shop", budget, clock)
        for begins_anew, share in asked:
            if begins_anew:  # a run in a new container, which knows nothing but the location
                book = BudgetBook(Folder(folder), "shop", budget, clock)
            clock.now += share * budget.per
            if taken(book):
                sent.append(clock.now)
    for first, beyond in zip(sent, sent[budget.requests :], strict=False):
        assert beyond - first >= budget.per


def test_a_budget_is_free_again_after_its_window_and_one_step_of_counting(tmp_path: Path) -> None:
    clock = Moment()
    book = BudgetBook(Folder(tmp_path), "shop", declared(2, "1000s"), clock)
    assert [taken(book), taken(book), taken(book)] == [True, True, False]
    clock.now += 999.0
    assert not taken(book)
    clock.now += 3.0
    assert [taken(book), taken(book), taken(book)] == [True, True, False]


def test_runs_at_once_never_take_more_than_there_is(tmp_path: Path) -> None:
    budget = declared(30, "1h")

    def run() -> int:
        book = BudgetBook(Folder(tmp_path), "shop", budget)
        return sum(taken(book) for _ in range(15))

    with ThreadPoolExecutor(4) as pool:
        runs = [pool.submit(run) for _ in range(4)]
        assert sum(run.result() for run in runs) == 30


def test_what_does_not_fit_is_refused_before_it_begins(tmp_path: Path) -> None:
    book = BudgetBook(Folder(tmp_path), "shop", declared(3, "1h"))
    book.take()
    book.refuse_beyond(2)
    with pytest.raises(Misconfigured, match="has 2 left, and at least 3 are needed"):
        book.refuse_beyond(3)
