import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ashore.catalog import Expect
from ashore.expectations import NAMES, Check, Figures, checks

COUNTS = st.integers(0, 10**6)


def only(expect: Expect, figures: Figures, *accepted: str) -> Check:
    (check,) = checks(expect, figures, accepted)
    return check


def test_nothing_is_checked_that_is_not_declared() -> None:
    assert checks(Expect(), Figures(records=5)) == []


@given(COUNTS, COUNTS)
def test_at_least_so_many_records(low: int, found: int) -> None:
    assert only(Expect(min_records=low), Figures(found)).met is (found >= low)


@given(COUNTS, COUNTS)
def test_at_most_so_many_records(high: int, found: int) -> None:
    assert only(Expect(max_records=high), Figures(found)).met is (found <= high)


@pytest.mark.parametrize(
    ("duplicates", "keyless", "met"), [(0, 0, True), (1, 0, False), (0, 1, False), (2, 3, False)]
)
def test_a_key_that_repeats_or_is_not_there_breaks_uniqueness(
    duplicates: int, keyless: int, met: bool
) -> None:
    figures = Figures(10, duplicates, keyless)
    assert only(Expect(unique_key=True), figures).met is met


@given(st.integers(0, 100), st.integers(1, 10_000), COUNTS)
def test_records_may_fall_by_the_declared_share_and_no_further(
    percent: int, before: int, found: int
) -> None:
    check = only(Expect(max_drop=percent / 100), Figures(found, before=before))
    assert check.met is ((before - found) * 100 <= percent * before)


@pytest.mark.parametrize("before", [None, 0])
def test_without_an_earlier_day_nothing_can_have_fallen(before: int | None) -> None:
    assert only(Expect(max_drop=0.0), Figures(0, before=before)).met


@given(st.integers(0, 5), st.integers(0, 5))
def test_so_many_sets_may_be_missing(allowed: int, missing: int) -> None:
    found = checks(Expect(allow_missing=allowed), Figures(missing=missing))
    assert all(check.met for check in found) is (missing <= allowed)


def test_a_missing_set_is_checked_even_where_nothing_is_declared() -> None:
    check = only(Expect(), Figures(missing=1))
    assert (check.name, check.met) == ("allow_missing", False)


def every(accepted: tuple[str, ...]) -> list[Check]:
    expect = Expect(min_records=5, max_records=0, unique_key=True, max_drop=0.1, allow_missing=0)
    return checks(expect, Figures(1, 1, 1, 1, 10), accepted)


def test_every_expectation_has_the_name_by_which_it_is_accepted() -> None:
    assert tuple(check.name for check in every(())) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_what_is_accepted_holds_though_it_is_not_met_and_nothing_else_does(name: str) -> None:
    found = every((name,))
    assert [check.name for check in found if check.holds] == [name]
    assert not any(check.met for check in found)
    verdicts = {check.name: check.document()["verdict"] for check in found}
    assert verdicts.pop(name) == "accepted"
    assert set(verdicts.values()) == {"not met"}


def test_what_is_met_was_not_needed_to_be_accepted() -> None:
    check = only(Expect(min_records=1), Figures(2), "min_records")
    assert check.document()["verdict"] == "met"


def test_a_check_says_its_figures() -> None:
    document = only(Expect(max_drop=0.1), Figures(80, before=100)).document()
    assert json.loads(json.dumps(document)) == document
    assert (document["name"], document["verdict"]) == ("max_drop", "not met")
    assert (document["before"], document["found"]) == (100, 80)
