import datetime as dt
import hashlib
import re
from pathlib import PurePosixPath
from urllib.parse import unquote, unquote_to_bytes

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from ashore.naming import (
    Day,
    Values,
    date_of,
    is_nobodys,
    is_within,
    object_path,
    segment,
    source_of,
)

DAY = Day("world_bank", dt.date(2026, 11, 24))
RAW = "raw/extraction_date=2026-11-24/source=world_bank/"
VALUE = st.text(st.characters(codec="utf-8"), min_size=1, max_size=80)
AWKWARD = st.sampled_from(["~", "%", "%7E", "/", "..", ".", "a/../b", "\\", "\0", "é" * 60, "Ä~"])
VALUES = VALUE | AWKWARD
ALLOWED = re.compile(r"[A-Za-z0-9._%~-]+")


@pytest.mark.parametrize(
    ("endpoint", "values", "page", "name"),
    [
        ("countries", (), None, "endpoint=countries/all.json"),
        ("countries", (), 1, "endpoint=countries/page=1.json"),
        ("population", (("country", "FRA"),), None, "endpoint=population/country=FRA.json"),
        (
            "population",
            (("country", "FRA"), ("year", "2024")),
            1,
            "endpoint=population/country=FRA/year=2024/page=1.json",
        ),
    ],
)
def test_objects_are_named_as_the_layout_says(
    endpoint: str, values: Values, page: int | None, name: str
) -> None:
    assert object_path(DAY, endpoint, values, page) == RAW + name


def test_a_day_has_its_folders_and_its_manifest() -> None:
    manifests = "manifests/extraction_date=2026-11-24/source=world_bank/"
    assert DAY.raw == RAW
    assert DAY.manifest == f"{manifests}manifest.json"
    assert DAY.run("r1") == f"{manifests}runs/r1/"


@given(VALUES)
def test_an_uncut_value_can_be_read_back_from_its_name(value: str) -> None:
    name = segment(value)
    if "~" not in name:
        assert unquote(name) == value


@given(VALUES)
@example("x" * 151)
@example("é" * 26)
@example("a" + "é" * 26)
@example("aa" + "é" * 26)
def test_a_long_value_is_cut_as_the_contract_says(value: str) -> None:
    kept = re.compile(r"[A-Za-z0-9._-]")
    whole = "".join(c if kept.match(c) else "".join(f"%{b:02X}" for b in c.encode()) for c in value)
    if len(whole) <= 150:
        assert segment(value) == whole
        return
    cut = next(whole[:end] for end in (150, 149, 148) if "%" not in whole[end - 2 : end])
    assert segment(value) == f"{cut}~{hashlib.sha256(value.encode()).hexdigest()[:16]}"


@given(VALUES, VALUES)
@example("x" * 200, "x" * 201)
@example("~", "%7E")
@example("a", "A")
def test_two_values_never_share_a_name(first: str, second: str) -> None:
    assert (segment(first) == segment(second)) is (first == second)


def test_the_name_of_a_cut_value_is_no_other_value() -> None:
    assert segment(segment("x" * 200)) != segment("x" * 200)


@given(st.lists(VALUES, min_size=1, max_size=3), st.none() | st.integers(1, 10_000))
def test_no_name_leaves_its_folder_or_grows_too_long(values: list[str], page: int | None) -> None:
    named = tuple((f"{'n' * 59}{number}", value) for number, value in enumerate(values))
    path = object_path(DAY, "population", named, page)
    assert path.startswith(f"{RAW}endpoint=population/")
    parts = path.removeprefix(RAW).split("/")
    assert len(parts) == 1 + len(values) + (page is not None)
    assert not {"", ".", ".."} & set(parts)
    assert all(len(part.encode()) <= 255 and not part.startswith((".", "_")) for part in parts)
    assert str(PurePosixPath(path)) == path


@given(VALUES)
def test_only_the_allowed_characters_stand_in_a_name(value: str) -> None:
    assert ALLOWED.fullmatch(segment(value))
    assert not re.search(r"%(?![0-9A-F]{2})", segment(value))


SETS = st.lists(VALUES, min_size=2, max_size=2).map(lambda v: (("a", v[0]), ("b", v[1])))


@given(SETS, SETS, st.integers(1, 3), st.integers(1, 3))
def test_two_requests_share_a_name_only_if_they_are_one(
    first: Values, second: Values, page: int, other: int
) -> None:
    same = (first, page) == (second, other)
    names = object_path(DAY, "e", first, page), object_path(DAY, "e", second, other)
    assert (names[0] == names[1]) is same


NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,59}", fullmatch=True)
LEVELS = st.lists(st.tuples(NAMES, VALUES | st.just("x$folder$")), max_size=4).map(tuple)
DAYS = st.builds(Day, NAMES, st.dates())


@given(DAYS, NAMES, LEVELS, st.none() | st.integers(1, 10_000))
def test_every_name_is_one_of_the_day_s_and_nobody_else_s(
    day: Day, endpoint: str, levels: Values, page: int | None
) -> None:
    path = object_path(day, endpoint, levels, page)
    assert is_within(path, day.raw)
    assert not is_nobodys(path, 0)
    parts = path.split("/")
    assert (date_of(parts[1]), source_of(parts[2])) == (day.date, day.source)
    assert all(len(part.encode()) <= 255 for part in parts)
    assert path.isascii()
    assert re.fullmatch(r"[\w.=%~/-]+\.json", path, re.ASCII)


@given(DAYS, DAYS, NAMES, NAMES, LEVELS, LEVELS)
def test_no_two_days_endpoints_or_sets_share_a_name(
    day: Day, other: Day, endpoint: str, another: str, levels: Values, more: Values
) -> None:
    assume((day, endpoint, levels) != (other, another, more))
    for page in (None, 1):
        assert object_path(day, endpoint, levels, page) != object_path(other, another, more, page)


@given(VALUES | st.text(st.characters(codec="utf-8"), min_size=20, max_size=300))
def test_of_a_long_value_the_beginning_can_be_read_back(value: str) -> None:
    kept, mark, digest = segment(value).partition("~")
    assert value.encode().startswith(unquote_to_bytes(kept))
    assert len(segment(value)) <= 150 + 1 + 16
    assert (len(digest) == 16) is bool(mark)
    assert not mark or len(kept) >= 148


@given(VALUES, st.data())
def test_names_fall_together_without_case_only_where_letters_differ_in_case(
    value: str, data: st.DataObject
) -> None:
    # Hex digits are written in one way only, so no other two values can fall together.
    turned = "".join(c.swapcase() if c.isascii() and data.draw(st.booleans()) else c for c in value)
    other = data.draw(st.sampled_from([turned, value.casefold(), value.upper()]) | VALUES)
    assume(other)
    fall_together = segment(value).casefold() == segment(other).casefold()
    alike = [re.sub(r"[A-Z]", lambda letter: letter[0].lower(), each) for each in (value, other)]
    if "~" not in segment(value) + segment(other):
        assert fall_together is (alike[0] == alike[1])
    else:
        assert not fall_together or alike[0] == alike[1]


@given(st.text(max_size=40), st.lists(st.sampled_from([*"./\\~%a=-_ \0\n", "..", "%2e"])))
@example("", ["..", "/", ".."])
def test_no_path_of_another_s_is_within_a_folder(text: str, pieces: list[str]) -> None:
    for rest in (text, "".join(pieces)):
        if is_within(f"{RAW}{rest}", RAW):
            resolved = PurePosixPath("/", RAW, rest)
            assert not {"..", ".", ""} & set(rest.split("/"))
            assert str(resolved) == f"/{RAW}{rest}"
        assert not is_within(f"{RAW}../{rest}", RAW)
        assert not is_within(f"/{RAW}{rest}", RAW)


@given(st.dates())
def test_the_date_of_a_folder_is_read_back(date: dt.date) -> None:
    assert date_of(f"raw/extraction_date={date.isoformat()}/") == date


@pytest.mark.parametrize(
    "folder",
    [
        "",
        "x",
        "extraction_date=",
        "extraction_date=2026-02-30/",
        "extraction_date=\u0662\u0660\u0662\u0666-11-24",
        "a=2026-11-24/",
    ],
)
def test_another_folder_has_no_date(folder: str) -> None:
    assert date_of(folder) is None


@given(st.text(max_size=30))
def test_any_folder_can_be_asked_for_its_date(folder: str) -> None:
    assert date_of(folder) is None or folder.rstrip("/").endswith(str(date_of(folder)))


@pytest.mark.parametrize(
    ("path", "nobodys"),
    [
        (f"{RAW}endpoint=e/.DS_Store", True),
        (f"{RAW}endpoint=e/_SUCCESS", True),
        (f"{RAW}endpoint=e_$folder$", True),
        (f"{RAW}endpoint=e/", True),
        (f"{RAW}endpoint=e/page=1.json", False),
        (f"{RAW}endpoint=e/page=1.json.tmp", False),
        (f"{RAW}.hidden/page=1.json", False),
        ("x", False),
    ],
)
def test_marks_that_tools_leave_are_nobodys(path: str, nobodys: bool) -> None:
    assert is_nobodys(path, 0) is nobodys


@pytest.mark.parametrize(
    ("folder", "source"),
    [
        ("manifests/extraction_date=2026-11-24/source=world_bank/", "world_bank"),
        ("source=a1", "a1"),
        ("source=", None),
        ("source=1a", None),
        ("source=Shop", None),
        ("source=a b", None),
        ("source=a\n", None),
        ("source=..", None),
        (f"source={'a' * 61}", None),
        ("sources=a", None),
        ("shop", None),
    ],
)
def test_a_folder_has_a_source_only_if_a_source_can_be_called_so(
    folder: str, source: str | None
) -> None:
    assert source_of(folder) == source
