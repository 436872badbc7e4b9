import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ashore.errors import Incomplete
from ashore.pace import Breaker, Governor, RequestLimit, Schedule
from ashore.units import Rate

RATES = st.builds(Rate, st.integers(1, 20), st.floats(0.1, 100))
GAPS = st.lists(st.floats(0, 30), min_size=1, max_size=80)


def sent_at(schedule: Schedule, gaps: list[float]) -> list[float]:
    """When requests go out that are wanted after these gaps, each as early as it may."""
    now, times = 0.0, []
    for gap in gaps:
        now = schedule.earliest(now + gap)
        schedule.record(now)
        times.append(now)
    return times


@given(RATES, GAPS)
def test_no_window_ever_holds_more_than_the_rate(rate: Rate, gaps: list[float]) -> None:
    times = sent_at(Schedule(rate), gaps)
    for first, beyond in zip(times, times[rate.requests :], strict=False):
        assert beyond - first > rate.seconds


@given(RATES, GAPS)
def test_a_rate_is_used_to_nine_tenths(rate: Rate, gaps: list[float]) -> None:
    times = sent_at(Schedule(rate), [0.0] * 60)
    # Of windows shorter than a second, a fortieth of a second is left unused.
    window = max(rate.seconds * 1.1, rate.seconds + 0.03)
    assert times[-1] <= 60 / rate.requests * window


@given(GAPS)
def test_without_a_rate_nobody_waits(gaps: list[float]) -> None:
    schedule, now = Schedule(None), 0.0
    for gap in gaps:
        now += gap
        assert schedule.earliest(now) == now
        schedule.record(now)


PAUSES = st.lists(st.tuples(st.floats(0, 50), st.floats(0, 50)), max_size=10)


@given(RATES | st.none(), GAPS, PAUSES)
def test_nobody_sends_in_a_pause(
    rate: Rate | None, gaps: list[float], pauses: list[tuple[float, float]]
) -> None:
    schedule, now = Schedule(rate), 0.0
    paused: list[tuple[float, float]] = []
    for gap, pause in zip(gaps, [*pauses, *[None] * len(gaps)], strict=False):
        now += gap
        if pause is not None:
            paused.append((now, now + pause[1]))
            schedule.pause(now + pause[1])
        now = schedule.earliest(now)
        schedule.record(now)
        assert not any(begin <= now < end for begin, end in paused)


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    schedule = Schedule(None)
    schedule.pause(100.0)
    schedule.pause(5.0)
    assert schedule.earliest(1.0) == 100.0


def test_all_threads_share_one_pace() -> None:
    governor = Governor(Rate(10, 0.05))
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda _: governor.turn(), range(20)))
    assert governor.sent == 20


def test_a_governor_that_is_stopped_gives_no_turn_to_those_who_wait() -> None:
    governor = Governor(Rate(1, 3600.0))
    assert governor.turn()
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(governor.turn) for _ in range(4)]
        governor.stop()
        assert [turn.result(timeout=5) for turn in waiting] == [False] * 4
    assert (governor.turn(), governor.sent) == (False, 1)


def test_a_pause_holds_back_those_who_ask_after_it() -> None:
    ticks = count()
    governor = Governor(None, clock=lambda: next(ticks) / 100)
    governor.pause(0.04)
    began = next(ticks)
    assert governor.turn()
    assert next(ticks) - began >= 3


class Refusing:
    """A limit that is used up."""

    def take(self) -> None:
        raise Incomplete("used up")


def test_a_request_that_a_limit_refuses_is_not_sent_and_not_counted() -> None:
    governor = Governor(Rate(1, 3600.0), [Refusing()])
    for _ in range(2):
        with pytest.raises(Incomplete, match="used up"):
            governor.turn()
    assert governor.sent == 0


@given(st.integers(0, 5))
def test_a_number_of_requests_is_used_to_the_last(allowed: int) -> None:
    limit = RequestLimit(allowed)
    for _ in range(allowed):
        limit.take()
    with pytest.raises(Incomplete, match="--max-requests"):
        limit.take()


def test_racing_threads_never_take_more_than_there_are() -> None:
    limit, barrier = RequestLimit(50), threading.Barrier(8)

    def take() -> int:
        barrier.wait()
        taken = 0
        for _ in range(20):
            try:
                limit.take()
            except Incomplete:
                continue
            taken += 1
        return taken

    with ThreadPoolExecutor(8) as pool:
        taken = [pool.submit(take) for _ in range(8)]
        assert sum(each.result() for each in taken) == 50


@given(st.integers(1, 10), st.lists(st.booleans(), max_size=40))
def test_only_so_many_failures_in_a_row_break(limit: int, ended: list[bool]) -> None:
    breaker, row = Breaker(limit), 0
    for good in ended:
        if good:
            breaker.good()
            row = 0
        else:
            row += 1
            assert breaker.failed() is (row >= limit)
