import heapq
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ashore.errors import Incomplete
from ashore.governor import Breaker, Governor, Host, RequestLimit, Schedule
from ashore.units import Rate
from tests.support.clock import MadeUpTime

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
    times = sent_at(Schedule([rate]), gaps)
    for first, beyond in zip(times, times[rate.requests :], strict=False):
        assert beyond - first > rate.seconds


TRIPS = st.lists(
    st.tuples(st.floats(0, 5), st.floats(0, 10), st.floats(0, 10), st.booleans()), max_size=60
)


@given(RATES, TRIPS)
def test_no_window_holds_more_than_the_rate_when_others_send(
    rate: Rate, trips: list[tuple[float, float, float, bool]]
) -> None:
    """Somebody sends any time after the turn, or not at all, and tells of it any time later."""
    schedule, now, times = Schedule([rate]), 0.0, []
    away: list[tuple[float, float | None]] = []
    for gap, outward, back, sends in trips:
        now += gap
        while away and away[0][0] <= schedule.earliest(now):
            returned, sent = heapq.heappop(away)
            now = max(now, returned)
            schedule.take_back(sent)
        now = schedule.earliest(now)
        schedule.hand_over(now)
        times += [now + outward] if sends else []
        heapq.heappush(away, (now + outward + back, now + outward if sends else None))
    times.sort()
    for first, beyond in zip(times, times[rate.requests :], strict=False):
        assert beyond - first > rate.seconds


def test_a_request_that_was_not_sent_elsewhere_is_free_again() -> None:
    limit = RequestLimit(1)
    governor = Governor(Host([Rate(1, 100)], MadeUpTime()), limit=limit)
    assert governor.turn(elsewhere=True)
    governor.came_back(None)
    assert governor.sent == 0
    assert governor.turn()
    with pytest.raises(Incomplete):
        limit.take()


@given(RATES, GAPS)
def test_a_rate_is_used_to_nine_tenths(rate: Rate, gaps: list[float]) -> None:
    times = sent_at(Schedule([rate]), [0.0] * 60)
    # Of windows shorter than a second, a fortieth of a second is left unused.
    window = max(rate.seconds * 1.1, rate.seconds + 0.03)
    assert times[-1] <= 60 / rate.requests * window


@given(GAPS)
def test_without_a_rate_nobody_waits(gaps: list[float]) -> None:
    schedule, now = Schedule(), 0.0
    for gap in gaps:
        now += gap
        assert schedule.earliest(now) == now
        schedule.record(now)


PAUSES = st.lists(st.tuples(st.floats(0, 50), st.floats(0, 50)), max_size=10)


@given(RATES | st.none(), GAPS, PAUSES)
def test_nobody_sends_in_a_pause(
    rate: Rate | None, gaps: list[float], pauses: list[tuple[float, float]]
) -> None:
    schedule, now = Schedule([rate] if rate else []), 0.0
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
    schedule = Schedule()
    schedule.pause(100.0)
    schedule.pause(5.0)
    assert schedule.earliest(1.0) == 100.0


def test_all_threads_share_one_pace() -> None:
    governor = Governor(Host([Rate(10, 0.05)]))
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda _: governor.turn(), range(20)))
    assert governor.sent == 20


def test_a_governor_that_is_stopped_gives_no_turn_to_those_who_wait() -> None:
    governor = Governor(Host([Rate(1, 3600.0)]))
    assert governor.turn()
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(governor.turn) for _ in range(4)]
        governor.stop()
        assert [turn.result(timeout=5) for turn in waiting] == [False] * 4
    assert (governor.turn(), governor.sent) == (False, 1)


class Refusing(RequestLimit):
    """A limit that is used up."""

    def __init__(self) -> None:
        super().__init__(0)

    def take(self) -> None:
        raise Incomplete("used up")


def test_a_request_that_a_limit_refuses_is_not_sent_and_not_counted() -> None:
    governor = Governor(Host([Rate(1, 3600.0)]), limit=Refusing())
    for _ in range(2):
        with pytest.raises(Incomplete, match="used up"):
            governor.turn()
    assert governor.sent == 0


TURNS = st.lists(
    st.tuples(
        st.integers(0, 1),  # which of two sources asks
        st.floats(0, 20),  # how long after the one before
        st.none() | st.floats(0, 40),  # whether its answer asks for a pause
    ),
    max_size=60,
)


@given(st.lists(RATES, max_size=2), TURNS)
def test_sources_of_one_host_share_its_pace_and_its_pauses(
    rates: list[Rate], turns: list[tuple[int, float, float | None]]
) -> None:
    clock = MadeUpTime()
    host = Host(rates, clock)
    sources = [Governor(host), Governor(host)]
    sent: list[float] = []
    pauses: list[tuple[float, float]] = []
    for source, gap, pause in turns:
        clock.time += gap
        assert sources[source].turn()
        sent.append(clock.time)
        if pause is not None:
            sources[source].pause(pause)
            pauses.append((clock.time, clock.time + pause))
    for rate in rates:
        for first, beyond in zip(sent, sent[rate.requests :], strict=False):
            assert beyond - first > rate.seconds
    assert not any(begin < time < end for begin, end in pauses for time in sent)
    assert [source.sent for source in sources] == [
        sum(1 for who, _, _ in turns if who == number) for number in range(2)
    ]


@given(st.floats(0.1, 100), st.floats(0.1, 100), st.floats(0.1, 100))
def test_a_pause_is_waited_for_only_if_there_is_time(
    pause: float, longest: float, left: float
) -> None:
    clock = MadeUpTime()
    governor = Governor(Host(clock=clock), until=left, max_pause=longest)
    governor.pause(pause)
    fits = pause <= min(longest, left)
    assume(abs(pause - min(longest, left)) > 0.01)
    if fits:
        assert governor.turn()
        assert clock.time == pause
    else:
        with pytest.raises(Incomplete, match=r"asks to wait .* come back after 2"):
            governor.turn()
        assert (clock.time, governor.sent) == (0.0, 0)


def test_a_pause_that_is_too_long_ends_also_those_who_wait_already() -> None:
    clock = MadeUpTime()
    governor = Governor(Host([Rate(1, 60.0)], clock), max_pause=100.0)
    assert governor.turn()
    clock.meanwhile.append((10.0, lambda: governor.pause(86_400.0)))
    with pytest.raises(Incomplete, match="longer than max_pause"):
        governor.turn()
    assert clock.time == 10.0


def test_another_source_of_the_host_does_not_ask_in_a_pause_that_ended_the_first() -> None:
    clock = MadeUpTime()
    host = Host(clock=clock)
    Governor(host, max_pause=60.0).pause(3600.0)
    with pytest.raises(Incomplete, match="come back after"):
        Governor(host, max_pause=60.0).turn()


def test_nothing_is_sent_after_the_deadline() -> None:
    clock = MadeUpTime()
    governor = Governor(Host(clock=clock), until=10.0)
    assert governor.turn()
    clock.time = 10.0
    with pytest.raises(Incomplete, match="deadline"):
        governor.turn()


class Slow:
    """A budget that takes time to ask, in which something happens."""

    def __init__(self, meanwhile: list[Callable[[], None]]) -> None:
        self.taken = 0
        self.meanwhile = meanwhile

    def take(self) -> None:
        self.taken += 1
        if self.meanwhile:
            self.meanwhile.pop()()


def test_a_pause_that_comes_while_the_budget_is_asked_holds() -> None:
    clock = MadeUpTime()
    happens: list[Callable[[], None]] = []
    budget = Slow(happens)
    governor = Governor(Host(clock=clock), budget=budget)
    happens.append(lambda: governor.pause(30.0))
    assert governor.turn()
    # What was counted before the pause would be free too early, so it is counted again after it.
    assert (clock.time, governor.sent, budget.taken) == (30.0, 1, 2)


def test_nothing_is_sent_where_the_deadline_passed_while_the_budget_was_asked() -> None:
    clock = MadeUpTime()
    slow = Slow([lambda: setattr(clock, "time", 11.0)])
    governor = Governor(Host(clock=clock), until=10.0, budget=slow)
    with pytest.raises(Incomplete, match="deadline"):
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
        assert breaker.left == (limit - row if row else None)
