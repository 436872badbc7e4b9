import pytest
from hypothesis import given
from hypothesis import strategies as st

from ashore.errors import (
    AshoreError,
    ExitStatus,
    Incomplete,
    LocationUnusable,
    Misconfigured,
    Violated,
    gravest,
    nearest,
)

ORDER = [130, 143, 1, 5, 4, 3, 2, 0]
STATUSES = st.sampled_from(list(ExitStatus))


def test_the_statuses_are_those_of_the_contract() -> None:
    assert sorted(ExitStatus) == [0, 1, 2, 3, 4, 5, 130, 143]


@pytest.mark.parametrize(
    ("error", "status"),
    [(Misconfigured, 2), (Incomplete, 3), (Violated, 4), (LocationUnusable, 5), (AshoreError, 1)],
)
def test_every_error_has_its_status(error: type[AshoreError], status: int) -> None:
    assert error("said").status == status
    assert str(error("said")) == "said"


@given(st.lists(STATUSES))
def test_a_signal_goes_first_then_1_5_4_3_2(statuses: list[ExitStatus]) -> None:
    expected = next((status for status in ORDER if status in statuses), 0)
    assert gravest(statuses) == expected


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("recods", 'did you mean "records"?'),
        ("RECORDS", "known: records, total"),
        ("zzz", "known: records, total"),
    ],
)
def test_a_mistyped_word_is_answered_with_the_nearest_or_all(word: str, said: str) -> None:
    assert nearest(word, ["total", "records"]) == said


def test_where_nothing_is_right_nothing_is_suggested() -> None:
    assert nearest("x", []) == "there is none"


@given(st.text(max_size=20), st.lists(st.text(min_size=1, max_size=10), max_size=4))
def test_a_suggestion_is_always_one_of_the_right_words(word: str, right: list[str]) -> None:
    said = nearest(word, right)
    assert not right or any(each in said for each in right)
