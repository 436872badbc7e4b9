import contextlib
import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ashore.dates import check_extraction_date, in_words, parse_date, parse_scheduled_at
from ashore.errors import Misconfigured

TODAY = dt.date(2026, 11, 24)


@given(st.dates())
def test_a_date_is_read_as_it_is_written(date: dt.date) -> None:
    assert parse_date(date.isoformat(), "--date") == date


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-31",
        "2026-1-1",
        "20261124",
        "24.11.2026",
        "2026-W48-2",
        "\u0662\u0660\u0662\u0666-11-24",
        "2026-11-24 ",
        "today",
    ],
)
def test_what_is_no_date_names_its_place_and_an_example(text: str) -> None:
    with pytest.raises(Misconfigured, match=r"--date: .* write it like 2026-11-24"):
        parse_date(text, "--date")


@given(st.text(max_size=15))
def test_no_text_makes_a_date_fail_otherwise(text: str) -> None:
    with contextlib.suppress(Misconfigured):
        assert parse_date(text, "--date").isoformat() == text


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-11-24T01:00:00Z", "2026-11-24T01:00:00"),
        ("2026-11-24T01:00:00+02:00", "2026-11-23T23:00:00"),
        ("2026-11-24T23:30:00-01:00", "2026-11-25T00:30:00"),
        ("2026-11-24t01:00:00z", "2026-11-24T01:00:00"),
        ("2026-11-24 01:00:00Z", "2026-11-24T01:00:00"),
        ("2026-11-24T01:00:00.123456789Z", "2026-11-24T01:00:00.123456"),
        ("2026-11-24T01:00:00.5Z", "2026-11-24T01:00:00.500000"),
        ("2026-11-24T01:00:00-00:00", "2026-11-24T01:00:00"),
    ],
)
def test_a_scheduled_moment_is_turned_into_utc(text: str, utc: str) -> None:
    moment = parse_scheduled_at(text)
    assert moment.utcoffset() == dt.timedelta(0)
    assert moment.replace(tzinfo=None).isoformat() == utc


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-24",
        "2026-11-24T01:00:00",
        "2026-11-24T01:00Z",
        "2026-11-24T25:00:00Z",
        "2026-11-24T01:00:00+0200",
        "2026-11-24T01:00:00+24:00",
        "2026-11-24T01:00:00+02:60",
        "0001-01-01T00:00:00+12:00",
        "9999-12-31T23:59:59-12:00",
        "1764000000",
        "<aws.scheduler.scheduled-time>",
    ],
)
def test_what_is_no_moment_with_an_offset_is_refused(text: str) -> None:
    with pytest.raises(Misconfigured, match="ASHORE_SCHEDULED_AT"):
        parse_scheduled_at(text)


OFFSETS = st.integers(-1439, 1439).map(lambda minutes: dt.timezone(dt.timedelta(minutes=minutes)))


@given(st.datetimes(timezones=OFFSETS))
def test_every_moment_keeps_its_instant(moment: dt.datetime) -> None:
    try:
        assert parse_scheduled_at(moment.isoformat(timespec="microseconds")) == moment
    except Misconfigured:
        assert moment.year in {1, 9999}  # in UTC it is before the first or after the last moment


def check(date: dt.date, *, allow: bool = False) -> dt.date:
    return check_extraction_date(date, TODAY, "--date", allow_backdate=allow)


@given(st.integers(-4000, 4000), st.booleans())
def test_only_today_and_yesterday_need_no_leave(days: int, allow: bool) -> None:
    date = TODAY + dt.timedelta(days=days)
    if -1 <= days <= 0 or (days < 0 and allow):
        assert check(date, allow=allow) == date
    else:
        with pytest.raises(Misconfigured, match=date.isoformat()) as refused:
            check(date, allow=allow)
        assert refused.value.status == 2


def test_a_date_that_needs_leave_says_how_to_give_it() -> None:
    with pytest.raises(Misconfigured, match="--allow-backdate"):
        check(dt.date(2026, 11, 1))


@given(st.floats(0, 86400 * 3650))
def test_when_to_come_back_is_never_too_early(seconds: float) -> None:
    words = in_words(seconds)
    assert words.startswith("after ")
    moment = dt.datetime.fromisoformat(words.removeprefix("after "))
    assert moment >= dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds - 1)
