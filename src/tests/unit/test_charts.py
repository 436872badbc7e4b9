import datetime as dt
import re

from hypothesis import given
from hypothesis import strategies as st

from ashore import charts
from ashore.calendars import DayStatus, State
from ashore.naming import Day
from ashore.timeline import Column, axis
from ashore.units import Rate

FIRST = dt.date(2024, 1, 1)
DAYS = st.lists(st.sampled_from(State), min_size=1, max_size=800)
FIGURES = st.lists(st.none() | st.integers(0, 10**12), min_size=1, max_size=900)


def day(number: int, state: State = State.COMPLETE) -> DayStatus:
    return DayStatus(Day("shop", FIRST + dt.timedelta(days=number)), state, due=True, said="")


@given(DAYS)
def test_each_day_has_one_mark_in_its_month_and_no_two_lie_upon_each_other(
    states: list[State],
) -> None:
    days = [day(number, state) for number, state in enumerate(states)]
    months = charts.months(days)
    assert [mark.day for month in months for mark in month.marks] == days
    for month in months:
        places = {(mark.x, mark.y) for mark in month.marks}
        assert len(places) == len(month.marks)
        assert all(x + charts.CELL <= month.width and y <= 84 for x, y in places)
    years = charts.years(months)
    assert [year.year for year in years] == sorted({d.day.date.year for d in days}, reverse=True)


def test_the_state_of_a_day_is_told_by_a_shape_and_in_words() -> None:
    assert len(set(charts.MARKS.values())) == len(State)
    (month,) = charts.months([day(0), day(1, State.MISSING), day(2)])
    assert month.said == "January 2024: 2 complete, 1 missing"


@given(FIGURES)
def test_a_line_stays_within_its_chart_and_in_bounds(figures: list[int | None]) -> None:
    values = [
        (FIRST + dt.timedelta(days=number), float(figure))
        for number, figure in enumerate(figures)
        if figure is not None
    ]
    last = FIRST + dt.timedelta(days=len(figures) - 1)
    line = charts.line(values, FIRST, last)
    assert len(line.values) <= 370
    assert set(line.values) <= set(values)
    pairs = re.findall(r"([\d.-]+) ([\d.-]+)", line.path + line.dots)
    assert len(pairs) == len(line.values)
    assert all(0 <= float(x) <= 1000 and 0 <= float(y) <= 100 for x, y in pairs)


def test_a_line_is_broken_where_a_day_is_missing() -> None:
    dates = [FIRST + dt.timedelta(days=number) for number in (0, 1, 2, 5, 6, 9)]
    line = charts.line([(date, 5.0) for date in dates], FIRST, dates[-1])
    assert line.path.count("M") == 2
    assert line.dots.count("M") == 1


def test_the_declared_rate_is_drawn_where_bars_of_that_height_end() -> None:
    day_axis = axis([(0.0, 10.0)])
    found = charts.paces(day_axis, [Column(0.0, 10.0, 30)], Rate(3, 1.0))
    (bar,) = found.bars
    assert found.declared == found.most == 3
    assert found.line is not None
    assert abs(found.line - bar.y) < 0.1
