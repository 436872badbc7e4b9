from __future__ import annotations

import datetime as dt
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console, RenderableType

from ashore.calendar_view import PLAIN_SHAPES, SHAPES, Calendars, Remarks, blocks, months
from ashore.calendars import DayStatus, State, weeks
from ashore.naming import Day

LETTERS = dict(zip("cimnd", State, strict=True))
EVIL = "\x1b[2J\x1b]0;x\x07\r\x08\x9b31m\u202e\n\t[red]\u200b"


def days(
    written: str, first: dt.date = dt.date(2026, 11, 20), source: str = "shop", said: str = ""
) -> list[DayStatus]:
    return [
        DayStatus(
            Day(source, first + dt.timedelta(days=number)),
            LETTERS[letter],
            due=letter != "n",
            said=said,
            objects=letter == "c",
            bytes=1024 * (letter == "c"),
        )
        for number, letter in enumerate(written)
    ]


def shown(
    what: RenderableType, width: int = 80, encoding: str = "utf-8", *, colours: bool = False
) -> list[str]:
    """The lines that a terminal or a pipe of some width would get."""
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding)
    console = Console(
        file=file,
        width=width,
        force_terminal=colours,
        color_system="truecolor" if colours else None,
        soft_wrap=True,
    )
    console.print(what)
    file.flush()
    return raw.getvalue().decode(encoding).splitlines()


def test_a_calendar_names_months_and_weekdays_and_tells_states_by_their_shapes() -> None:
    assert shown(Calendars(days("ccimcccdccccn"))) == [
        "shop  2026-11-20 to 2026-12-02",
        "2026 Nov Dec",
        "Mon    □ ■",
        "Tue    ■ ■",
        "Wed    ■ ·",
        "Thu    ■",
        "Fri  ■ !",
        "Sat  ■ ■",
        "Sun  ◧ ■",
        "■ complete 9   ◧ incomplete 1   □ missing 1   · not yet due 1   ! damaged 1",
        "streak: 4 days since 2026-11-28   longest: 4 days, 2026-11-28 to 2026-12-01",
        "due and complete: 9 of 12   landed: 9 objects, 9.0 KiB   a day: 1.0 KiB",
        "",
    ]


def test_where_only_ascii_can_be_shown_the_shapes_are_ascii() -> None:
    lines = shown(Calendars(days("cimnd")), encoding="ascii")
    assert "".join(lines).isascii()
    assert lines[-4].startswith("# complete 1   + incomplete 1   o missing 1   . not yet due 1")
    assert {line[5:6] for line in lines[2:9]} == {"", *" #+o"}


def test_no_two_states_have_the_same_shape() -> None:
    for shapes in (SHAPES, PLAIN_SHAPES):
        assert len(set(shapes.values())) == len(shapes) == len(State)


def test_of_no_streak_and_nothing_landed_that_is_said() -> None:
    told = shown(Calendars(days("m")))[-2]
    assert told == "streak: none   due and complete: 0 of 1   landed: 0 objects, 0 B"


def test_without_any_day_that_is_said() -> None:
    assert shown(Calendars([])) == ["nothing has landed here, and no source is due"]


@given(st.integers(1, 900), st.integers(0, 3_000), st.integers(1, 160))
def test_blocks_hold_every_week_once_and_fit(count: int, start: int, width: int) -> None:
    of_all = days("c" * count, dt.date(2019, 1, 1) + dt.timedelta(days=start))
    found = list(blocks(of_all, width))
    assert [week for group in found for week in group] == list(weeks(of_all))
    assert all(1 <= len(group) <= max(1, width - 5) for group in found)
    if len(found) > 1:
        for group in found:
            assert len({week.monday.isocalendar().year for week in group}) == 1


@given(st.integers(1, 400), st.integers(0, 3_000), st.sampled_from([1, 2]))
def test_a_month_is_named_above_its_first_day(count: int, start: int, cell: int) -> None:
    of_all = days("c" * count, dt.date(2019, 1, 1) + dt.timedelta(days=start))
    group = list(weeks(of_all))
    line = months(group, cell)
    named = re.findall(r"[A-Z][a-z]{2}", line)
    assert len(named) == len(line.split()) - 1, "no name runs into another"
    for column, week in enumerate(group):
        if week.month is not None:
            assert line[5 + column * cell :].startswith(f"{week.month:%b}")
    assert line[:4].isdigit()


def test_a_long_calendar_is_told_by_years() -> None:
    lines = shown(Calendars(days("c" * 800, dt.date(2024, 9, 1))))
    years = [line for line in lines if re.match(r"\d{4} [A-Z]", line)]
    assert [line.split()[:2] for line in years] == [
        ["2024", "Sep"],
        ["2025", "Jan"],
        ["2026", "Jan"],
    ]
    assert max(map(len, lines)) <= 80


def test_all_blocks_of_a_calendar_are_drawn_alike() -> None:
    lines = shown(Calendars(days("c" * 400, dt.date(2026, 11, 1))))
    assert not [line for line in lines if "■ ■" in line]


@pytest.mark.parametrize("width", [10, 24, 40, 59, 60, 80, 200])
def test_nothing_but_words_is_wider_than_the_terminal(width: int) -> None:
    lines = shown(Calendars(days("cm" * 200)), width)
    assert all(len(line) <= width for line in lines if line[:3] in {"Mon", "Sun"})
    if width >= 80:
        assert all(len(line) <= width for line in lines)


@pytest.mark.parametrize("width", [20, 59, 60, 100])
@pytest.mark.parametrize("colours", [False, True])
def test_what_is_said_of_a_day_steers_no_terminal(width: int, colours: bool) -> None:
    for what in (
        Remarks(days("i", said=f"503: {EVIL}", source=f"x{EVIL}")),
        Calendars(days("i", said=EVIL, source=f"x{EVIL}")),
    ):
        text = "\n".join(shown(what, width, colours=colours))
        plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
        assert not [c for c in plain if c != "\n" and not c.isprintable()]
        assert "[red]" in plain or width == 20 or isinstance(what, Calendars)
        assert ("\x1b" in text) == colours


def test_in_colour_the_letters_are_the_same() -> None:
    what = Calendars(days("cimnd" * 9))
    plain = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in shown(what, colours=True)]
    assert plain == shown(what)


def test_days_in_a_row_share_a_line_and_the_last_lines_are_told() -> None:
    lines = shown(Remarks(days("cmmmcic", said="x")))
    told = [line for line in lines if "2026" in line]
    assert len(told) == 2
    assert "2026-11-21 to 2026-11-23" in told[0]
    many = shown(Remarks(days("ic" * 70, said="x")))
    assert many[0] == "the last 60 of 70 remarks; --json has all of them"
    assert sum("│ 20" in line for line in many) == 60
    assert "2027-04-07" in many[-2]


def test_on_a_narrow_terminal_remarks_stand_below_each_other() -> None:
    assert shown(Remarks(days("mi", said="one of 217 sets failed: 503")), 40) == [
        "2026-11-20 shop missing",
        "  one of 217 sets failed: 503",
        "2026-11-21 shop incomplete",
        "  one of 217 sets failed: 503",
    ]


def test_of_days_that_are_plainly_complete_nothing_is_said() -> None:
    assert shown(Remarks(days("ccc"))) == []
