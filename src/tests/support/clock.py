"""A clock for the rules of time."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ashore.governor import Clock


class MadeUpTime(Clock):
    """A clock on which waiting takes no time; something may happen while one waits."""

    def __init__(self) -> None:
        self.time = 0.0
        self.meanwhile: list[tuple[float, Callable[[], None]]] = []

    def now(self) -> float:
        return self.time

    def wait(self, changed: threading.Condition, seconds: float) -> None:
        until = self.time + seconds
        if self.meanwhile and self.meanwhile[0][0] <= until:
            moment, happens = self.meanwhile.pop(0)
            self.time = max(self.time, moment)
            happens()
        else:
            self.time = until
