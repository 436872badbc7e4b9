"""A quota over a rolling window, held against made-up time; its file lies in a real folder."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ashore.budget import BudgetBook
from ashore.catalog import Budget
from ashore.errors import Incomplete, Misconfigured, Violated
from ashore.folder import Folder
from ashore.governor import Governor, Host
from tests.support.clock import MadeUpTime
from tests.support.mangled import mangled, share, torn


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


@settings(max_examples=share(0.5))
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


class Slow(Folder):
    """A location in which each write takes time before and after it, and others act meanwhile."""

    def __init__(self, root: Path, clock: MadeUpTime) -> None:
        super().__init__(root)
        self.clock = clock
        self.delays: list[tuple[float, float]] = []
        self.meanwhile: list[Callable[[], object]] = []

    def replace(self, path: str, body: bytes, version: str | None) -> bool:
        before, after = self.delays.pop(0) if self.delays else (0.0, 0.0)
        self.clock.time += before
        if self.meanwhile:
            self.meanwhile.pop(0)()
        replaced = super().replace(path, body, version)
        self.clock.time += after
        return replaced


@dataclass
class OneRun:
    """A run with a store, a book and a governor of its own; it notes when it sends."""

    root: Path
    budget: Budget
    clock: MadeUpTime
    sent: list[float]

    def __post_init__(self) -> None:
        self.store = Slow(self.root, self.clock)
        book = BudgetBook(self.store, "shop", self.budget, lambda: 1.8e9 + self.clock.time)
        self.governor = Governor(Host(clock=self.clock), budget=book)

    def ask(self) -> None:
        with contextlib.suppress(Incomplete):
            if self.governor.turn():
                self.sent.append(self.clock.time)


SHARES = st.floats(0, 0.01) | st.floats(0, 1)  # of the window
TURN = st.fixed_dictionaries(
    {
        "who": st.integers(0, 1),
        "gap": SHARES,
        "pause": st.none() | SHARES,
        "delays": st.lists(st.tuples(SHARES, SHARES), max_size=3),
        "others": st.integers(0, 2),
        "anew": st.booleans(),
    }
)


@settings(max_examples=share(0.5))
@given(BUDGETS, st.lists(TURN, min_size=1, max_size=20))
def test_no_window_holds_more_than_the_budget_by_two_runs_at_once_however_slow_the_location(
    budget: Budget, turns: list[dict[str, Any]]
) -> None:
    clock, sent = MadeUpTime(), list[float]()
    with location() as folder:
        runs = [OneRun(folder, budget, clock, sent) for _ in range(2)]
        for turn in turns:
            clock.time += turn["gap"] * budget.per
            if turn["anew"]:  # as if it had been killed
                runs[turn["who"]] = OneRun(folder, budget, clock, sent)
            run, other = runs[turn["who"]], runs[1 - turn["who"]]
            run.store.delays = [(a * budget.per, b * budget.per) for a, b in turn["delays"]]
            run.store.meanwhile, other.store.meanwhile = [other.ask] * turn["others"], []
            if turn["pause"] is not None:
                run.store.meanwhile.append(partial(run.governor.pause, turn["pause"] * budget.per))
            run.ask()
    sent.sort()
    for first, beyond in zip(sent, sent[budget.requests :], strict=False):
        assert beyond - first >= budget.per


def test_a_budget_is_free_again_after_its_window_and_two_steps_of_counting(tmp_path: Path) -> None:
    clock = Moment()
    book = BudgetBook(Folder(tmp_path), "shop", declared(2, "1000s"), clock)
    assert [taken(book), taken(book), taken(book)] == [True, True, False]
    clock.now += 999.0
    assert not taken(book)
    clock.now += 3.0
    assert [taken(book), taken(book), taken(book)] == [True, True, False]


BOOK = {"format": 1, "used": [[1_799_999_000, 1], [1_800_000_000, 2]]}
BOOKS = mangled(BOOK).map(lambda book: json.dumps(book).encode()) | torn(json.dumps(BOOK).encode())


@given(BOOKS, st.integers(1, 9))
@example(b'{"used": [[1800000000, -5], [1800000000, 6]]}', 6)
@example(b'{"used": [[1800000000, 3], [1800000000, 3]]}', 6)
@example(b'{"used": [[' + b"9" * 400 + b", 6]]}", 6)
@example(b'{"used": [[100000000000, 6]]}', 6)
@example(b"[" * 100_000, 6)
def test_a_damaged_book_is_named_and_never_gives_more_than_the_budget(
    book: bytes, requests: int
) -> None:
    with location() as root:
        (root / "state/source=shop").mkdir(parents=True)
        file = root / "state/source=shop/budget.json"
        file.write_bytes(book)
        kept = BudgetBook(Folder(root), "shop", declared(requests, "1d"), Moment())
        with contextlib.suppress(Misconfigured, Violated):
            kept.refuse_beyond(1)
        try:
            kept.take()
        except (Incomplete, Violated):
            assert file.read_bytes() == book
            return
        counted = [count for _, count in json.loads(file.read_bytes())["used"]]
        assert min(counted) > 0
        assert sum(counted) <= requests


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
