from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ashore.calendars import (
    DayStatus,
    State,
    Streak,
    by_source,
    current_streak,
    longest_streak,
    streaks,
    summary,
    weeks,
)
from ashore.documents import plain
from ashore.naming import Day

FIRST = dt.date(2026, 2, 25)  # a Wednesday
LETTERS = {
    "c": State.COMPLETE,
    "i": State.INCOMPLETE,
    "m": State.MISSING,
    "n": State.NOT_YET_DUE,
    "d": State.DAMAGED,
}


def date(number: int) -> dt.date:
    return FIRST + dt.timedelta(days=number)


def days(written: str, source: str = "shop", not_due: int = 0) -> list[DayStatus]:
    """A day for each letter, of which the last ones are not due; a blank leaves one out."""
    last = len(written) - not_due
    return [
        DayStatus(Day(source, date(n)), LETTERS[letter], n < last, "", n, 10 * n)
        for n, letter in enumerate(written)
        if letter != " "
    ]


written = st.text("cimnd ", max_size=40)


@given(written)
def test_streaks_are_the_runs_of_complete_days(text: str) -> None:
    expected, run = [], ""
    for number, letter in enumerate(f"{text} "):
        if letter == "c":
            run += letter
        elif run:
            expected.append(Streak(len(run), date(number - len(run)), date(number - 1)))
            run = ""
    assert list(streaks(days(text))) == expected
    assert list(streaks(days(text)[::-1])) == expected


@pytest.mark.parametrize(
    ("text", "not_due", "expected"),
    [
        ("ccc", 0, 3),
        ("mcc", 0, 2),
        ("ccm", 0, None),
        ("cci", 0, None),
        ("ccd", 0, None),
        ("ccn", 1, 2),
        ("cci", 1, 2),
        ("ccmn", 1, None),
        ("mcmc", 1, 1),
        ("mccc", 1, 3),
        ("m", 0, None),
        ("n", 1, None),
        ("c", 1, 1),
        ("", 0, None),
    ],
)
def test_a_streak_goes_on_to_the_last_day_that_is_due(
    text: str, not_due: int, expected: int | None
) -> None:
    found = current_streak(days(text, not_due=not_due))
    assert (found and found.days) == expected


def test_of_streaks_as_long_the_latest_is_the_longest() -> None:
    assert longest_streak(days("ccmccmc")) == Streak(2, date(3), date(4))
    assert longest_streak(days("ccmcmc")) == Streak(2, date(0), date(1))
    assert longest_streak(days("mi")) is None


@given(written)
def test_weeks_hold_every_day_once_in_its_place(text: str) -> None:
    shown = days(text)
    found = list(weeks(shown))
    assert [each for week in found for each in week.days if each] == shown
    for number, week in enumerate(found):
        assert week.monday == found[0].monday + dt.timedelta(days=7 * number)
        for weekday, each in enumerate(week.days):
            assert each is None or each.day.date == week.monday + dt.timedelta(days=weekday)
    if shown:
        assert any(found[0].days)
        assert any(found[-1].days)


def test_a_week_names_the_month_that_begins_in_it() -> None:
    assert [week.month for week in weeks(days("c" * 40))] == [
        *(dt.date(2026, 3, 1), None, None, None, None, dt.date(2026, 4, 1))
    ]


def test_a_summary_counts_what_the_days_come_to() -> None:
    found = summary(days("cmiccdcn", not_due=1))
    assert {state.value: count for state, count in found.counts.items()} == {
        "complete": 4,
        "incomplete": 1,
        "missing": 1,
        "not yet due": 1,
        "damaged": 1,
    }
    assert (found.first, found.last, found.due, found.complete_of_due) == (date(0), date(7), 7, 4)
    assert (found.objects, found.bytes) == (0 + 3 + 4 + 6, 10 * (0 + 3 + 4 + 6))
    assert found.largest == Day("shop", date(6))
    assert found.current == Streak(1, date(6), date(6))
    assert found.longest == Streak(2, date(3), date(4))
    assert plain(found)["counts"]["not yet due"] == 1
    assert summary(days("cc")).counts == {State.COMPLETE: 2}


def test_a_summary_is_of_one_source_that_has_days() -> None:
    mixed: Sequence[Sequence[DayStatus]] = ([], [*days("c"), *days("c", "depot")])
    for each in mixed:
        with pytest.raises(ValueError, match="unpack"):
            summary(each)


def test_days_are_told_apart_by_source_and_put_in_order() -> None:
    shop, depot = days("cm"), days("c", "depot")
    assert by_source([shop[1], *depot, shop[0]]) == {"shop": shop, "depot": depot}
