import contextlib
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ashore import units
from ashore.units import Rate

UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10s", 10),
        ("250ms", 0.25),
        ("5m", 300),
        ("45m", 2700),
        ("6h", 21600),
        ("30d", 2592000),
        ("1h30m", 5400),
        ("0.5s", 0.5),
        ("1.5h", 5400),
        ("1m30s", 90),
    ],
)
def test_a_duration_is_read_as_people_write_it(text: str, seconds: float) -> None:
    assert units.duration(text) == pytest.approx(seconds)


@given(st.integers(1, 10_000), st.sampled_from(sorted(UNITS)))
def test_every_whole_number_with_a_unit_is_a_duration(number: int, unit: str) -> None:
    assert units.duration(f"{number}{unit}") == pytest.approx(number * UNITS[unit])


@pytest.mark.parametrize(
    "text", ["", "10", "s", "10 s", "-1s", "0s", "0.0m", "1e3s", "10S", "10s ", "s10", "1,5s", "∞s"]
)
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match='write it like "10s"'):
        units.duration(text)


@pytest.mark.parametrize("text", ["9" * 400 + "s", "99999999999d"])
def test_a_duration_that_no_clock_can_wait_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        units.duration(text)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("64MiB", 64 * 2**20),
        ("500kB", 500_000),
        ("100B", 100),
        ("1 MB", 10**6),
        ("1.5GiB", 3 * 2**29),
        ("2GB", 2 * 10**9),
        ("1KiB", 1024),
    ],
)
def test_a_size_is_read_as_people_write_it(text: str, number: int) -> None:
    assert units.size(text) == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        "64",
        "0B",
        "0.5B",
        "-1B",
        "64mib",
        "64 M",
        "1e3B",
        "B",
        pytest.param("9" * 400 + "B", id="long"),
    ],
)
def test_what_is_no_size_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match='write it like "64MiB"'):
        units.size(text)


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("3/s", Rate(3, 1.0)),
        ("20/10s", Rate(20, 10.0)),
        ("100/m", Rate(100, 60.0)),
        ("1/500ms", Rate(1, 0.5)),
        ("7/0.5s", Rate(7, 0.5)),
    ],
)
def test_a_rate_is_read_as_people_write_it(text: str, rate: Rate) -> None:
    assert units.rate(text) == rate


@pytest.mark.parametrize(
    "text",
    [
        *("", "3", "3/", "/s", "0/s", "3/0s", "-3/s", "3/x", "3 / s", "1.5/s", "1000001/s"),
        *("1/36526d", f"1/{'9' * 400}s", f"1{'0' * 400}/s", "\u0663/s"),
    ],
)
def test_what_is_no_rate_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match='write it like "3/s"'):
        units.rate(text)


@given(st.integers(1, 1000), st.integers(1, 600))
def test_a_rate_is_written_so_that_it_can_be_read_again(requests: int, seconds: int) -> None:
    rate = Rate(requests, float(seconds))
    assert units.rate(str(rate)) == rate


PIECES = st.sampled_from(["1", "9" * 30, "0", ".", "/", "s", "ms", "d", "MiB", "B", "\u0663", " "])


@given(st.text(max_size=20) | st.lists(PIECES, max_size=8).map("".join))
@example("9" * 5_000 + "s")
@example("9" * 5_000 + "/s")
@example("9" * 5_000 + "B")
@example("0." + "9" * 5_000 + "B")
def test_text_never_makes_the_units_fail_otherwise(text: str) -> None:
    for read in (units.duration, units.size, units.rate):
        with contextlib.suppress(ValueError):
            assert read(text)


@given(st.integers(0, 10**20))
def test_a_count_is_the_same_as_a_number_and_as_text(count: int) -> None:
    assert units.whole_number(count) == count
    assert units.whole_number(str(count)) == count
    assert units.whole_number(f"{count}.0") == count


@pytest.mark.parametrize(
    "value",
    [None, True, False, "", "abc", -1, "-1", 1.5, "1.5", [], {}, [1], "1 2", "0x10", "1,000"],
    ids=repr,
)
def test_what_is_no_count_is_no_number(value: object) -> None:
    assert units.whole_number(value) is None


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "NaN", "Infinity"], ids=repr)
def test_a_number_without_an_end_is_no_count(value: object) -> None:
    assert units.whole_number(value) is None


@pytest.mark.parametrize("value", ["1e99999", "1E+99999"])
def test_a_count_in_powers_of_ten_costs_neither_time_nor_memory(value: str) -> None:
    assert units.whole_number(value) is None


@given(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=12),
)
@example("1_000")
def test_a_count_is_what_its_text_says_or_nothing(value: object) -> None:
    number = units.whole_number(value)
    if number is not None:
        assert number == Decimal(str(value).strip().replace("_", ""))
        assert number >= 0


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (3 * 2**30, "3.0 GiB"),
        (2**40, "1024.0 GiB"),
    ],
)
def test_bytes_are_written_for_people(number: int, text: str) -> None:
    assert units.human_bytes(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.85, "850 ms"),
        (12.34, "12.3 s"),
        (245, "4 min 05 s"),
        (7380, "2 h 03 min"),
        (200_000, "2 d 7 h"),
        (2_592_000, "30 d"),
        (59.97, "1 min 00 s"),
        (0.9999, "1.0 s"),
    ],
)
def test_seconds_are_written_for_people(seconds: float, text: str) -> None:
    assert units.human_seconds(seconds) == text
