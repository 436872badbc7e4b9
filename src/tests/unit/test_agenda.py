"""How many tasks are begun, and when."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

import pytest

from ashore.agenda import Agenda

WORKERS = 3


class Idle(Executor):
    """Takes tasks and leaves them undone until they are told to end."""

    def __init__(self) -> None:
        self.given: list[Future[Any]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.given.append(Future())
        return self.given[-1]


def nothing() -> None:
    """A task."""


@pytest.mark.parametrize(("most", "begun"), [(None, 6), (100, 6), (4, 4), (1, 1)])
def test_no_more_are_begun_than_are_needed(most: int | None, begun: int) -> None:
    idle = Idle()
    agenda: Agenda[None] = Agenda(idle, WORKERS)
    agenda.first(iter([nothing] * 100))
    assert agenda.fill(most)
    assert len(idle.given) == begun


def test_what_waits_for_another_try_counts_and_is_not_held_back() -> None:
    idle = Idle()
    agenda: Agenda[None] = Agenda(idle, WORKERS)
    agenda.first(iter([nothing] * 100))
    agenda.after(0.0, nothing)
    agenda.after(0.0, nothing)
    agenda.after(3600.0, nothing)
    agenda.fill(2)
    assert len(idle.given) == 2, "the two that are due, and none that is new"
    agenda.fill(4)
    assert len(idle.given) == 3, "the third one waits, and counts"


def test_the_last_ones_are_waited_for() -> None:
    idle = Idle()
    agenda: Agenda[None] = Agenda(idle, WORKERS)
    agenda.first(iter([nothing]))
    assert agenda.fill()
    idle.given[0].set_result(None)
    assert agenda.wait(1) is idle.given[0]
    assert not agenda.fill()
