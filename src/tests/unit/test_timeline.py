from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ashore import timeline

NOON = 1_800_000_000.0
SPANS = st.lists(
    st.tuples(st.integers(0, 400_000), st.integers(0, 9_000)), min_size=1, max_size=60
).map(lambda spans: sorted((NOON + begin / 1000, length / 1000) for begin, length in spans))
WINDOWS = st.sampled_from([0.25, 1.0, 10.0])


@given(SPANS)
def test_every_moment_has_a_place_and_the_order_stays(spans: list[tuple[float, float]]) -> None:
    axis = timeline.axis(spans)
    moments = sorted({moment for begin, length in spans for moment in (begin, begin + length)})
    places = [axis.place(moment) for moment in moments]
    assert all(-1e-9 <= place <= 1 + 1e-9 for place in places)
    assert all(earlier <= later + 1e-9 for earlier, later in pairwise(places))


@given(SPANS, WINDOWS)
def test_each_request_is_in_one_column(spans: list[tuple[float, float]], window: float) -> None:
    sent = [begin for begin, _ in spans]
    columns = list(timeline.columns(timeline.axis(spans), sent, window))
    assert sum(column.sent for column in columns) == len(sent)
    assert all(column.seconds >= window for column in columns)


@given(st.integers(1, 40), st.integers(1, 3_000), WINDOWS)
def test_a_pace_that_keeps_the_rate_is_never_drawn_above_it(
    rate: int, number: int, window: float
) -> None:
    # Each window's requests in its beginning: as much in any window as the rate allows.
    sent = [NOON + each // rate * window + each % rate / 1_000 / rate for each in range(number)]
    assert timeline.most_in_a_window(sent, window) <= rate
    spans = [(moment, 0.001) for moment in sent]
    for column in timeline.columns(timeline.axis(spans), sent, window):
        assert column.sent <= rate * (column.seconds / window) + 1


@given(SPANS, WINDOWS)
def test_the_most_in_a_window_is_what_counting_finds(
    spans: list[tuple[float, float]], window: float
) -> None:
    sent = [begin for begin, _ in spans]
    counted = max(sum(0 <= each - first <= window - 0.0015 for each in sent) for first in sent)
    assert timeline.most_in_a_window(sent, window) == counted


@given(SPANS)
def test_the_most_at_once_is_what_counting_finds(spans: list[tuple[float, float]]) -> None:
    # One that takes no time is under way when it begins.
    ends = [(begin, begin + length) for begin, length in spans]
    counted = max(sum(b <= moment < e for b, e in ends) for moment, _ in ends)
    found = timeline.at_once([b for b, _ in ends], sorted(e for _, e in ends))
    assert counted <= found <= counted + sum(b == e for b, e in ends)


def test_a_long_pause_is_cut_short_and_a_short_one_is_not() -> None:
    spans = [(NOON, 10.0), (NOON + 20, 10.0), (NOON + 7_200, 30.0)]
    first, second = timeline.axis(spans).stretches
    assert (first.begin, first.end) == (NOON, NOON + 30)
    assert (second.begin, second.end) == (NOON + 7_200, NOON + 7_230)
    assert first.right - first.left == pytest.approx(second.right - second.left)
    assert second.left - first.right == pytest.approx(0.02)


def test_however_many_pauses_there_are_something_is_left_of_the_axis() -> None:
    spans = [(NOON + 3_600 * hour, 1.0) for hour in range(100)]
    assert len(timeline.axis(spans).stretches) <= 13
